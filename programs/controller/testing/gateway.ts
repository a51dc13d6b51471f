/** A gateway as the controller sees one: real TLS, real certificates, no plane; for tests. */
import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { Agent, request } from 'node:https';
import {
  type DiscoverReply,
  discoverReply,
  type PollReply,
  type PollRequest,
  pollReply,
  type RegisterReply,
  registerReply,
} from '@vrouter/api/agent/agent.ts';
import { generateKeyPair, keyAlgorithm, provider } from '../ca/keys.ts';
// @peculiar/x509 will not load before this.
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

export interface Answer {
  readonly status: number;
  readonly json: unknown;
}

export interface KeyAndRequest {
  readonly key: string;
  readonly csr: string;
}

export function parseJoin(join: string): { url: string; token: string; fingerprint: string } {
  const match = /^(https:\/\/[^/]+)\/(?:\?[^#]*)?#(vrj_[^~]+)~([0-9a-f]{64})$/.exec(join);
  if (match === null) throw new Error(`not a join string: ${join}`);
  return { url: match[1]!, token: match[2]!, fingerprint: match[3]! };
}

/** As vrouterd does it, which asks for no name at first. */
export async function makeRequest(commonName = ''): Promise<KeyAndRequest> {
  const pair = await generateKeyPair();
  const csr = await Pkcs10CertificateRequestGenerator.create(
    { name: commonName === '' ? '' : [{ CN: [commonName] }], keys: pair.keys, signingAlgorithm: keyAlgorithm },
    provider,
  );
  return { key: pair.privateKeyPem, csr: csr.toString('pem') };
}

/** A fresh X25519 public key in base64. */
export function wireguardKey(): string {
  const spki = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'der' });
  return spki.subarray(-32).toString('base64');
}

/** Asks without trusting, then checks the fingerprint, as a gateway does. */
export async function discover(url: string, fingerprint: string): Promise<DiscoverReply> {
  const agent = new Agent({ rejectUnauthorized: false });
  try {
    const reply = discoverReply.parse((await ask(agent, 'GET', `${url}/vrouter/discover`)).json);
    const der = new X509Certificate(reply.rootCertificate).raw;
    const found = createHash('sha256').update(der).digest('hex');
    if (found !== fingerprint) throw new Error(`the root is ${found}, the join string says ${fingerprint}`);
    return reply;
  } finally {
    agent.destroy();
  }
}

export interface Joining {
  readonly url: string;
  readonly token: string;
  readonly root: string;
  readonly request: KeyAndRequest;
  readonly wireguardPublicKey: string;
}

/** Everything that a join needs; sent as often as a test likes. */
export async function prepareJoin(join: string): Promise<Joining> {
  const { url, token, fingerprint } = parseJoin(join);
  const root = (await discover(url, fingerprint)).rootCertificate;
  return { url, token, root, request: await makeRequest(), wireguardPublicKey: wireguardKey() };
}

export async function register(joining: Joining): Promise<Answer> {
  const agent = new Agent({ ca: joining.root });
  const { token, request: csr, wireguardPublicKey } = joining;
  const rest = { protocolVersion: 1, hostname: 'test-host', version: '0.1.0' };
  try {
    return await ask(agent, 'POST', `${joining.url}/vrouter/register`, {
      token,
      csr: csr.csr,
      wireguardPublicKey,
      ...rest,
    });
  } finally {
    agent.destroy();
  }
}

/** As the original joins: the token and the WireGuard key, and nothing else. */
export async function registerAsOriginal(joining: Joining): Promise<Answer> {
  const agent = new Agent({ ca: joining.root });
  const { token, wireguardPublicKey } = joining;
  try {
    return await ask(agent, 'POST', `${joining.url}/vrouter/register`, { token, wireguardPublicKey });
  } finally {
    agent.destroy();
  }
}

/** A gateway that has joined. It keeps what it was told, as vrouterd would, so that deltas can be checked. */
export class TestGateway {
  readonly url: string;
  readonly root: string;
  readonly reply: RegisterReply;
  readonly state = new Map<string, unknown>();
  agent: Agent;
  bootId = randomBytes(8).toString('hex');
  seq = 0;
  nonce: string | null = null;
  storedVersion = 0;
  storedHash: string | null = null;
  appliedVersion = 0;

  constructor(joining: Joining, reply: RegisterReply) {
    this.url = joining.url;
    this.root = joining.root;
    this.reply = reply;
    this.agent = this.#agent(joining.request.key, reply.certificateChain);
  }

  static async join(join: string): Promise<TestGateway> {
    const joining = await prepareJoin(join);
    const answer = await register(joining);
    if (answer.status !== 200) throw new Error(`join: ${answer.status} ${JSON.stringify(answer.json)}`);
    return new TestGateway(joining, registerReply.parse(answer.json));
  }

  /** Uses another certificate from now on. */
  rekey(key: string, chain: readonly string[]): void {
    this.agent.destroy();
    this.agent = this.#agent(key, chain);
  }

  /** The next request; seq moves on. */
  next(changes: Partial<PollRequest> = {}): PollRequest {
    return {
      gatewayId: this.reply.gatewayId,
      bootId: this.bootId,
      seq: ++this.seq,
      nonce: this.nonce,
      storedVersion: this.storedVersion,
      storedHash: this.storedHash,
      appliedVersion: this.appliedVersion,
      waitMs: 0,
      full: false,
      stats: null,
      errors: [],
      plane: 'fake',
      version: '0.1.0',
      ...changes,
    };
  }

  send(body: PollRequest, url = this.url): Promise<Answer> {
    return ask(this.agent, 'POST', `${url}/vrouter/poll`, body);
  }

  post(path: string, body: unknown): Promise<Answer> {
    return ask(this.agent, 'POST', this.url + path, body);
  }

  /** Polls once and takes in the answer, which must be a good one. */
  async poll(changes: Partial<PollRequest> = {}): Promise<PollReply> {
    const answer = await this.send(this.next(changes));
    if (answer.status !== 200) throw new Error(`poll: ${answer.status} ${JSON.stringify(answer.json)}`);
    return this.take(answer);
  }

  take(answer: Answer): PollReply {
    const reply = pollReply.parse(answer.json);
    if (reply.baseVersion === null) this.state.clear();
    else if (reply.baseVersion !== this.storedVersion) throw new Error('the delta begins elsewhere');
    for (const op of reply.ops) {
      if (op.op === 'put') this.state.set(op.key, op.intent);
      else this.state.delete(op.key);
    }
    this.nonce = reply.nextNonce;
    this.storedVersion = reply.version;
    this.storedHash = reply.hash;
    return reply;
  }

  /** Drops the connections; the next one may resume their TLS session. */
  reconnect(): void {
    for (const sockets of Object.values(this.agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  close(): void {
    this.agent.destroy();
  }

  #agent(key: string, chain: readonly string[]): Agent {
    return new Agent({ keepAlive: true, ca: this.root, key, cert: chain.join('') });
  }
}

function ask(agent: Agent, method: string, url: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method, headers: { 'content-type': 'application/json' } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) }));
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
