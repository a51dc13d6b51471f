/** A connection to a VSOCK port. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { StreamPoll } from '../internal/poll.ts';
import { errnoName } from '../udp/problems.ts';
import { vsockProblem } from './problems.ts';
import { VsockStream } from './stream.ts';
import {
  AF_VSOCK,
  errno,
  loadVsock,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOCKADDR_VM_LEN,
  SOL_SOCKET,
  VsockAddress,
  type VsockNative,
} from './syscalls.ts';

/** Connects to a context id's port. Rejects with ProblemError `socket.unreachable`, or `port.denied` where there is no VSOCK. */
export async function connectVsock(cid: number, port: number): Promise<VsockStream> {
  const native = loadVsock();
  const { calls } = native;
  const peer = new VsockAddress(native);
  const fd = calls.socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new ProblemError(vsockProblem(errnoName(native.native.koffi.errno()), port));
  peer.set(cid, port);
  const begun = calls.connect(fd, peer.at, SOCKADDR_VM_LEN) === 0 ? 0 : native.native.koffi.errno();
  const code = begun === errno.EINPROGRESS ? await outcome(native, fd) : begun;
  if (code === 0) return new VsockStream(native, fd, cid);
  calls.close(fd);
  throw new ProblemError(
    problem('socket.unreachable', `nobody answers at VSOCK port ${port} of context ${cid}: ${errnoName(code)}`),
  );
}

/** The errno that a connection has come to; 0: it is there. */
async function outcome(native: VsockNative, fd: number): Promise<number> {
  await new Promise<void>((resolve) => {
    const poll = new StreamPoll(native.native, fd, () => {
      poll.close();
      resolve();
    });
    poll.want(false, true);
  });
  const value = new DataView(new ArrayBuffer(8));
  value.setUint32(4, 4, true);
  const at = native.addresses.of(value.buffer);
  native.calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, at, at + 4);
  return value.getInt32(0, true);
}
