import { createHash } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { planStream } from '../../src/client/rtp-plan.ts';
import { CALLER_VOICE, speakTones } from '../../src/client/tones.ts';
import { sendRtp } from '../support/rtp-sender.ts';
import { openSink, type RtpSink } from './scripted-peer.ts';

const sinks: RtpSink[] = [];

afterEach(() => {
  for (const sink of sinks.splice(0)) sink.close();
});

async function sink(): Promise<RtpSink> {
  const opened = await openSink();
  sinks.push(opened);
  return opened;
}

test('loss, duplicates and reordering reach the wire as planned, and the report knows what is missing', async () => {
  const target = await sink();
  const audio = speakTones(CALLER_VOICE, 2, 'PCMU');
  const impairment = { loss: 0.1, duplicate: 0.1, reorder: 0.1, seed: 7 };

  const [sent] = await sendRtp([
    {
      address: '127.0.0.1',
      port: target.port,
      law: 'PCMU',
      audio,
      impairment,
      start: { sequence: 0, timestamp: 0 },
    },
  ]);

  const plan = planStream(audio.length, { sequence: 0, timestamp: 0 }, 0, impairment);
  await target.received(plan.packets.length);
  const distinct = new Map(target.packets.map((packet) => [packet.timestamp, packet.payload]));
  const inOrder = [...distinct].sort(([a], [b]) => a - b);
  const sequences = target.packets.map(({ sequence }) => sequence);
  expect(sent?.packets).toBe(distinct.size);
  expect(distinct.size).toBeLessThan(100);
  expect(sequences.length).toBeGreaterThan(distinct.size);
  expect(sequences.some((sequence, index) => sequence < (sequences[index - 1] ?? 0))).toBe(true);
  const octets = Buffer.concat(inOrder.map(([, payload]) => payload));
  expect(sent?.sha256).toBe(createHash('sha256').update(octets).digest('hex'));
  const lost = (sent?.missing ?? []).reduce((sum, { from, to }) => sum + to - from, 0);
  expect(octets.length + lost).toBe(audio.length);
  expect(target.packets.every(({ payloadType }) => payloadType === 0)).toBe(true);
});

test('a stream can start later than another', async () => {
  const [early, late] = [await sink(), await sink()];
  const audio = speakTones(CALLER_VOICE, 0.2, 'PCMA');
  await sendRtp([
    { address: '127.0.0.1', port: early.port, law: 'PCMA', audio },
    { address: '127.0.0.1', port: late.port, law: 'PCMA', audio, startDelay: 300 },
  ]);
  await late.received(10);
  expect((late.packets[0]?.at ?? 0) - (early.packets.at(-1)?.at ?? Infinity)).toBeGreaterThan(0);
  expect(early.packets).toHaveLength(10);
});
