/** Any text as a gateway's certificate request: it is refused or read, and never a throw. */
import { parseRequest } from './request.ts';

export const name = 'controller/certificate-request';

/** One for a P-256 key, one for an RSA key (refused), and the first as bare base64. */
const p256 = `-----BEGIN CERTIFICATE REQUEST-----
MIHKMHECAQAwDzENMAsGA1UEAwwEZnV6ejBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABMWI1u7OYG+JLFHPYxTM6Q3JAevNc4hctJFAKMGnnio3VQa4Eob22JYA7RlH
t2iqqV5kX0YVuddkCNQdDWLHuwWgADAKBggqhkjOPQQDAgNJADBGAiEAhEG5Ewij
XlkJpqS2loinqsZBYQRJTv9IJR3VC4k1Q60CIQCtC6h5FKWbXzDlYLQMNf7Ws4gH
c4fm3jzMOZNSy/tZWw==
-----END CERTIFICATE REQUEST-----
`;
const rsa = `-----BEGIN CERTIFICATE REQUEST-----
MIIBTjCBuAIBADAPMQ0wCwYDVQQDDARmdXp6MIGfMA0GCSqGSIb3DQEBAQUAA4GN
ADCBiQKBgQDBYIYCs9lrnz4EeKXUjOEjUnyHZxRV6urUSfT7QxNkhyiHYFqBbj/m
yk5iWx+8QcnoW+zf0aPkyF3q0tf7wogPDN9S7NWMn0Fyvq/KCA6q5YrJ4+BbuBA+
XoeTvm8lGSaDdlsYrAKLWlWIQr1bZXrvCGUlNiPIRncOeUGx4kKyTQIDAQABoAAw
DQYJKoZIhvcNAQELBQADgYEAXwlqv6Ar2l5Vm0IpO69/8S58GWEfZ+Ay9wwcYSvs
Igk+sMSXOZ6tviCbw3QfnVAlHcouxCVldMBOyCuf8kj56BmSbq76bwhU1jHx3jPM
VCT3YdY4XoTd4JRVhEJG3useRPaMMO4dQtTpkFTMctAra0IY/XnS1SJr18VBIvkv
mXc=
-----END CERTIFICATE REQUEST-----
`;

export const seeds: readonly Uint8Array[] = [p256, rsa, p256.split('\n').slice(1, -2).join('')].map((text) =>
  new TextEncoder().encode(text),
);

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  check(text);
  // Damage to the base64 mostly ends there; damage to what it stands for gets further.
  check(`-----BEGIN CERTIFICATE REQUEST-----\n${damaged(bytes)}\n-----END CERTIFICATE REQUEST-----\n`);
}

const der = Uint8Array.fromBase64(p256.split('\n').slice(1, -2).join(''));

/** The first request's DER with some of its bytes taken from the input. */
function damaged(bytes: Uint8Array): string {
  const copy = Uint8Array.from(der);
  for (let i = 0; i + 1 < Math.min(bytes.length, 16); i += 2) copy[bytes[i]! % copy.length] = bytes[i + 1]!;
  return copy.toBase64();
}

function check(text: string): void {
  const parsed = parseRequest(text);
  if (!parsed.ok) {
    if (parsed.error.code !== 'input.invalid' || parsed.error.field !== 'csr') throw new Error(parsed.error.code);
    return;
  }
  const again = parseRequest(parsed.value.toString('pem'));
  if (!again.ok) throw new Error('what was read cannot be written down again');
}
