import { randomInt } from 'node:crypto';
import { PAYLOAD_TYPE, type Law } from '../../src/media/g711-encoder.ts';
import { MediaSender, openMediaSocket, type SentLeg } from '../../src/client/media-sender.ts';
import { planStream, type Impairment, type StreamStart } from '../../src/client/rtp-plan.ts';

/** One RTP stream in real time, without any signalling. */
export interface RtpStream {
  readonly address: string;
  readonly port: number;
  readonly law: Law;
  readonly audio: Uint8Array;
  /** Milliseconds; 0 by default. */
  readonly startDelay?: number;
  readonly impairment?: Impairment;
  /** Random by default. */
  readonly start?: Partial<StreamStart>;
  /** Local address to send from. */
  readonly from?: string;
}

/** Sends streams side by side against one clock; resolves with what was sent on each after the last packet. */
export async function sendRtp(streams: readonly RtpStream[]): Promise<readonly SentLeg[]> {
  const sockets = await Promise.all(
    streams.map(({ from, address }) =>
      openMediaSocket(from ?? (address.includes(':') ? '::1' : '127.0.0.1')),
    ),
  );
  const legs = streams.map((stream) => {
    const start = {
      ssrc: randomInt(2 ** 32),
      sequence: randomInt(2 ** 16),
      timestamp: randomInt(2 ** 32),
      ...stream.start,
    };
    return {
      audio: stream.audio,
      plan: planStream(stream.audio.length, start, stream.startDelay ?? 0, stream.impairment),
      payloadType: PAYLOAD_TYPE[stream.law],
      ssrc: start.ssrc,
      destination: { address: stream.address, port: stream.port },
    };
  });
  const sender = new MediaSender(
    legs,
    sockets.map(({ socket }) => socket),
  );
  sender.start();
  await sender.finished;
  for (const { socket } of sockets) socket.close();
  return sender.results();
}
