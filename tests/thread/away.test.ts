/** What vrouterctl on the host says while the controller is away, and once the gateway is not wanted any more: real programs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { controllerStatus, planReply, statusReply } from '@vrouter/api/gateway/gateway.ts';
import { vrouterctl } from '../../programs/cli/process.testing.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';
import { makePeer, makeVrouter, ok, RealGateway } from './gateways.ts';

test('vrouterctl explains a controller that is away, and a gateway that is revoked', { timeout: 120_000 }, async () => {
  await using undo = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'vr-'));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const controller = await ControllerProcess.start(join(folder, 'c'));
  undo.defer(async () => void (await controller.end('SIGKILL')));
  const gateway = undo.use(new RealGateway(folder, 'edge'));
  gateway.start(await makeVrouter(controller, 'edge'));
  const { version } = await makePeer(controller, 'edge', 'phone');
  await gateway.until('the peer', ({ appliedVersion }) => appliedVersion === version);
  const ctl = async (...args: string[]): Promise<string> => {
    const { status, out, err } = await vrouterctl(args, { VROUTER_SOCKET: gateway.api.socketPath });
    assert.deepEqual([status, err], [0, '']);
    return out;
  };
  assert.match(await ctl('show', 'controller'), /outlook: +the controller answers/);
  assert.doesNotMatch(await ctl('show', 'plan'), /does not know/);

  await controller.end('SIGKILL');
  await gateway.until('to notice', (status) => status.controller.lastError?.includes('ECONNREFUSED') === true);
  for (const view of ['controller', 'status']) {
    const out = await ctl('show', view);
    assert.match(
      out,
      /outlook: +warning: no controller has answered for \d+ s: .*ECONNREFUSED.*; version \d+ is the last/,
    );
    assert.match(out, /since: +20\d\d-\d\d-\d\dT.* \(\d+ s ago\)/);
    assert.match(out, /works: +packets, new handshakes of known peers/);
    assert.match(out, /stopped: +changes made at the controller do not arrive/);
    assert.match(out, /gets worse: +in 8 h: the certificate ends/);
    assert.match(out, /to do: +nothing if it is meant to be away/);
    assert.ok(out.includes(controller.agents) && /failing, (is tried next|tried again in)/.test(out), out);
  }
  assert.match(
    await ctl('show', 'plan'),
    /nothing to do: .*\n\nthis does not know what the controller may have changed/,
  );
  const confirm = await vrouterctl(['plan', 'confirm'], { VROUTER_SOCKET: gateway.api.socketPath });
  assert.match(confirm.err, /nothing is held back, as far as is known here: no controller has answered/);
  const data = controllerStatus.parse(JSON.parse(await ctl('show', 'controller', '--json')));
  assert.equal(data.outlook?.condition, 'away');
  assert.equal(planReply.parse(JSON.parse(await ctl('show', 'plan', '--json'))).controller?.condition, 'away');
  const metrics = await gateway.metrics();
  assert.match(
    metrics,
    new RegExp(`vrouterd_controller_address\\{address="${controller.agents}",state="failing"\\} 1`),
  );
  assert.match(metrics, /vrouterd_outlook\{condition="away"\} 1/);

  // A daemon that is started again meanwhile knows since when.
  await gateway.stop();
  gateway.start(null);
  const again = await gateway.until('to notice', (status) => status.controller.outlook?.condition === 'away');
  assert.ok(Math.abs(again.controller.outlook!.sinceUnixMs! - data.outlook!.sinceUnixMs!) < 2000);

  const back = await ControllerProcess.start(join(folder, 'c'), [0, controller.agentsPort]);
  undo.defer(async () => void (await back.end('SIGKILL')));
  await gateway.until('to be back', (status) => status.controller.outlook?.condition === 'connected', 40_000);
  await ok(back.call('POST', '/v1/vrouters/edge/revoke'));
  await gateway.until('to be refused', (status) => status.controller.state === 'refused');
  assert.match(await ctl('show', 'controller'), /critical: the controller does not want this gateway any more/);
  const { controller: told } = statusReply.parse(JSON.parse(await ctl('show', 'status', '--json')));
  assert.equal(told.outlook?.condition, 'notKnown');
  assert.match(told.outlook!.advice!, /new join string/);
});
