/*
 * The measure of the media benchmark: a receiver that takes datagrams out of the kernel with the same system call as ours
 * and only counts them. It asks the kernel for nothing else, neither senders nor times.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { AF_INET, loadLibc } from '../../src/media/receiver/libc.ts';
import { FEW, SLICE_MS, SLICES, SweepWheel } from '../../src/media/receiver/sweep-wheel.ts';

const SLOTS = 64;
const SLOT_BYTES = 2048;
const RECEIVE_BUFFER = 512 * 1024;

export interface CountingReceiver {
  readonly ports: readonly number[];
  counted(): number;
}

/** `recvmmsg` through koffi: every socket as often as ours (docs/decisions/023). */
export function countByBatch(sockets: number): CountingReceiver {
  const libc = loadLibc();
  const data = Buffer.allocUnsafeSlow(SLOTS * SLOT_BYTES).fill(0);
  const headers = Buffer.allocUnsafeSlow(SLOTS * 80).fill(0);
  const base = libc.address(headers);
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const vector = SLOTS * 64 + slot * 16;
    headers.writeBigUInt64LE(libc.address(data) + BigInt(slot * SLOT_BYTES), vector);
    headers.writeBigUInt64LE(BigInt(SLOT_BYTES), vector + 8);
    headers.writeBigUInt64LE(base + BigInt(vector), slot * 64 + 16);
    headers.writeBigUInt64LE(1n, slot * 64 + 24);
  }
  const wheel = new SweepWheel<number>(SLICES, FEW);
  const ports: number[] = [];
  for (let index = 0; index < sockets; index += 1) {
    const fd = libc.udpSocket(AF_INET);
    libc.setReceiveBuffer(fd, RECEIVE_BUFFER);
    libc.bind(fd, '127.0.0.1', 0);
    ports.push(libc.boundPort(fd));
    wheel.add(fd);
  }
  let counted = 0;
  const empty = (fd: number): void => {
    for (let count = SLOTS; count === SLOTS;) {
      count = libc.receive(fd, headers, SLOTS);
      if (count > 0) counted += count;
    }
  };
  setInterval(() => {
    for (let slice = wheel.due(performance.now()); slice > 0; slice -= 1)
      for (const fd of wheel.next()) empty(fd);
  }, SLICE_MS);
  // The data is named here so that it lives as long as the kernel writes to it.
  return { ports, counted: () => (data.length > 0 ? counted : 0) };
}

/** Node's own sockets, an event a datagram. */
export async function countByEvents(sockets: number): Promise<CountingReceiver> {
  let counted = 0;
  const ports: number[] = [];
  for (let index = 0; index < sockets; index += 1) {
    const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER });
    socket.on('message', () => (counted += 1));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    ports.push(socket.address().port);
  }
  return { ports, counted: () => counted };
}
