/** A worker: an engine on a thread of its own, which hears from the main thread what to do and from the other workers by bell and ring. */
import { parentPort, workerData } from 'node:worker_threads';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { DumpRow } from '@vrouter/engine/control/messages.ts';
import { Engine } from '@vrouter/engine/engine.ts';
import { Bell } from '@vrouter/engine/workers/bell.ts';
import { keeperEthernet, shadowEthernet } from '@vrouter/engine/workers/ethernet.ts';
import { keeperOf } from '@vrouter/engine/workers/share.ts';
import { KeeperDoings, keeperTun, TunOutcomes } from '@vrouter/engine/workers/tun.ts';
import { systemClock } from '@vrouter/host/clock/clock.ts';
import { fingerprint, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import { adoptUdp, type BoundUdp } from '@vrouter/host/udp/steered.ts';
import { Alarm } from '../alarm.ts';
import { openEthernet } from '../ethernet.ts';
import { openStats } from '../stats.ts';
import { openTun } from '../tun.ts';
import { Lookout } from './lookout.ts';
import type { Birth, Order, Report } from './messages.ts';

/**
 * An error is told to the main thread, and the sockets are closed by the exit: a thread torn down with a readable one crashes the process.
 * So does an exit from inside of a descriptor's callback, at whose end rejections are heard; hence the next phase.
 */
function fail(thrown: unknown): void {
  const { message, stack = '' } = thrown instanceof Error ? thrown : new Error(String(thrown));
  say({ is: 'failed', message, stack });
  setImmediate(() => process.exit(1));
}

function say(report: Report): void {
  parentPort!.postMessage(report);
}

function main({ epoch, share, stats }: Birth): void {
  const clock = systemClock();
  const alarm = new Alarm(() => engine.alarm(), clock.now);
  const opening = new Map<number, (socket: Extract<Order, { do: 'opened' }>['socket']) => void>();
  let opened = 0;
  let closed = false;
  const openUdp = async (options: { readonly address: string; readonly port: number }) => {
    const number = opened++;
    const answer = new Promise<Extract<Order, { do: 'opened' }>['socket']>((resolve) => opening.set(number, resolve));
    say({ is: 'open', number, address: options.address, port: options.port });
    const socket = await answer;
    if ('code' in socket) throw new ProblemError(socket);
    return adoptUdp(socket satisfies BoundUdp);
  };
  const isKeeper = share.index === keeperOf(share.workers);
  const tuns = new TunOutcomes();
  const doings = new KeeperDoings((number, outcome) => say({ is: 'tunDone', number, outcome }));
  const engine = new Engine(
    {
      clock,
      crypto: systemCrypto(),
      rng: systemRng(),
      fingerprint,
      openUdp,
      openTun: isKeeper ? keeperTun(openTun, doings) : tuns.open,
      openEthernet: isKeeper ? keeperEthernet(openEthernet, doings) : shadowEthernet(tuns),
      stats: openStats(stats),
      setAlarm: (at) => alarm.set(at),
      pause: () => new Promise((resolve) => setImmediate(resolve)),
    },
    epoch,
    share,
  );
  const lookout = new Lookout(engine, say, (callback) => void setImmediate(callback));

  const bell = new Bell(share.bells, share.index);
  // The check phase, as for sockets, so that neither starves the other.
  const serveSoon = (): void => {
    setImmediate(serve);
  };
  function serve(): void {
    if (closed) return;
    if (engine.arrivals()) {
      serveSoon();
      return;
    }
    bell.arm();
    const rung = engine.arrivalsWaiting ? null : bell.rung();
    if (rung === null) serveSoon();
    else void rung.then(serve).catch(fail);
  }

  const obey = async (order: Order): Promise<void> => {
    switch (order.do) {
      case 'apply': {
        const results = await engine.apply(order.actions);
        say({ is: 'applied', id: order.id, results });
        return;
      }
      case 'dump': {
        const only = order.only ?? undefined;
        // Page by page: thousands of rows in one message would stop packets while they are copied.
        const page = (rows: readonly DumpRow[]): void => say({ is: 'rows', id: order.id, rows, more: true });
        await (isKeeper ? engine.look(only, page) : engine.lookAtOwnPeers(only, page));
        say({ is: 'rows', id: order.id, rows: [], more: false });
        return;
      }
      case 'natSessions':
        say({ is: 'natSessions', id: order.id, reply: engine.natSessions(order.limit) });
        return;
      case 'neighbours':
        say({ is: 'neighbours', id: order.id, reply: engine.neighbours(order.limit) });
        return;
      case 'tunDone':
        tuns.heard(order.number, order.outcome);
        return;
      case 'watch':
        lookout.start(order.number, order.filter, order.snapLen);
        return;
      case 'more':
        lookout.more(order.number);
        return;
      case 'unwatch':
        lookout.stop(order.number);
        return;
      case 'opened':
        opening.get(order.number)!(order.socket);
        opening.delete(order.number);
        return;
      case 'close':
        await engine.close();
        closed = true;
        alarm.cancel();
        // Nothing else keeps the thread.
        parentPort!.close();
        return;
      default:
        order satisfies never;
    }
  };
  parentPort!.on('message', (order: Order) => void obey(order).catch(fail));
  say({ is: 'ready' });
  serve();
}

process.on('uncaughtException', fail);
main(workerData as Birth);
