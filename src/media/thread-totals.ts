import type { ThreadTotals } from './thread-messages.ts';

export const NO_TOTALS: ThreadTotals = {
  captures: 0,
  packets: 0,
  octets: 0,
  lost: 0,
  late: 0,
  rejected: 0,
  unwritten: 0,
  foreign: 0,
  unauthentic: 0,
  handshakesFailed: 0,
  cpuSeconds: 0,
  truncated: 0,
  socketErrors: 0,
  overruns: 0,
  sinkErrors: 0,
  smallBuffers: 0,
  diskWait: 0,
};

export function addTotals(a: ThreadTotals, b: ThreadTotals): ThreadTotals {
  return {
    captures: a.captures + b.captures,
    packets: a.packets + b.packets,
    octets: a.octets + b.octets,
    lost: a.lost + b.lost,
    late: a.late + b.late,
    rejected: a.rejected + b.rejected,
    unwritten: a.unwritten + b.unwritten,
    foreign: a.foreign + b.foreign,
    unauthentic: a.unauthentic + b.unauthentic,
    handshakesFailed: a.handshakesFailed + b.handshakesFailed,
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    truncated: a.truncated + b.truncated,
    socketErrors: a.socketErrors + b.socketErrors,
    overruns: a.overruns + b.overruns,
    sinkErrors: a.sinkErrors + b.sinkErrors,
    smallBuffers: a.smallBuffers + b.smallBuffers,
    troubled: [...(a.troubled ?? []), ...(b.troubled ?? [])],
    // How long the slowest has waited; those that are gone wait for nothing.
    diskWait: Math.max(a.diskWait, b.diskWait),
  };
}
