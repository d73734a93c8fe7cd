/* What the media benchmark has to reach, and what it says of it. */

export type Kind = 'batch' | 'dgram';

/** What was measured of one kind of calls. */
export interface Measured {
  readonly kind: Kind;
  readonly calls: number;
  readonly seconds: number;
  /** CPU microseconds a packet: of the media threads, and of a receiver that only counts. */
  readonly mediaMicros: number;
  readonly countingMicros: number;
  readonly lost: number;
  /** Octets of the sample that are not what was sent; undefined where none was compared. */
  readonly wrong: number | undefined;
  /** Kilobytes a call, the growth since the start; and of a call more, when others are there. */
  readonly kilobytes: number;
  readonly marginalKilobytes: number;
  readonly isSettled: boolean;
  /** p99 in ms, while calls were held. */
  readonly loopDelay: number;
}

const PACKETS_PER_CALL = 100;

export const callsPerCore = (micros: number): number => 1e6 / (micros * PACKETS_PER_CALL);

const SAID = { true: 'reached', false: 'NOT reached' } as const;

const goal = (text: string, figure: string, isReached: boolean): string =>
  `  ${SAID[String(isReached) as 'true']}: ${text} (${figure})`;

const ratioGoal = ({ mediaMicros, countingMicros }: Measured): string => {
  const ratio = mediaMicros / countingMicros;
  return goal('at most 2.0 x the receiver that only counts', ratio.toFixed(2), ratio <= 2);
};

const coreGoal = (least: number, { mediaMicros }: Measured): string => {
  const calls = callsPerCore(mediaMicros);
  return goal(`at least ${least} calls a core`, calls.toFixed(0), calls >= least);
};

function lossGoal({ calls, seconds, lost, wrong }: Measured): string {
  const figure = `${lost} lost, ${wrong ?? 'no'} octets wrong`;
  const text = `no packet lost, no octet wrong with ${calls} calls for ${seconds} s`;
  // A packet counted twice would be as wrong as one that is missing.
  return goal(text, figure, lost === 0 && (wrong ?? 0) === 0);
}

function memoryGoal({ kilobytes, marginalKilobytes, isSettled }: Measured): string {
  const early = isSettled ? '' : ', read before the memory for setting up was given back';
  const figure = `${kilobytes.toFixed(0)} kB, a call more ${marginalKilobytes.toFixed(0)} kB${early}`;
  return goal('at most 100 kB of memory a call', figure, kilobytes <= 100);
}

const loopGoal = ({ loopDelay }: Measured): string =>
  goal('event loop of signalling late by less than 20 ms', `p99 ${loopDelay.toFixed(1)} ms`, loopDelay < 20);

/** The lines that say which goals of plain calls were reached. */
export function goalsOf(plain: Measured): readonly string[] {
  const speed = plain.kind === 'batch' ? [ratioGoal(plain), coreGoal(4500, plain)] : [coreGoal(1000, plain)];
  return [...speed, lossGoal(plain), memoryGoal(plain), loopGoal(plain)];
}

/** The same of encrypted calls, by plain ones. */
export function encryptedGoals(plain: Measured, encrypted: Measured): readonly string[] {
  const ratio = encrypted.mediaMicros / plain.mediaMicros;
  return [
    goal('SRTP at most 1.8 x plain', ratio.toFixed(2), ratio <= 1.8),
    lossGoal(encrypted),
    memoryGoal(encrypted),
  ];
}
