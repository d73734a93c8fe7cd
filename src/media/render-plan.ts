import { CLOCK_RATE, type CapturedFile, type CaptureResult, type LineRole } from './capture.ts';

/** What ffmpeg is to make: inputs in order, a filter graph ending in `[out]`, and the rate of its samples. */
export interface RenderPlan {
  readonly inputs: readonly { readonly path: string; readonly decoder?: string }[];
  readonly graph: string;
  readonly rate: number;
  /** Length of the timeline, in ticks of CLOCK_RATE. */
  readonly ticks: number;
  /** What could not be taken in, as `codec on role`. */
  readonly left: readonly string[];
  /** Lines that have a channel to themselves, 0 being the left one. */
  readonly alone: readonly { readonly line: number; readonly channel: number }[];
}

/** Codecs that play everywhere: a recording of nothing else needs no copy. */
const PLAYABLE = new Set(['PCMA', 'PCMU']);

/** Gaps up to this are left to the decoder's concealment, in ticks: 200 ms. */
const CONCEALED = CLOCK_RATE / 5;

/** Whether a recording holds anything that is not G.711. */
export const needsCopy = (files: readonly CapturedFile[]): boolean =>
  files.some(({ codec }) => !PLAYABLE.has(codec));

/**
 * Caller left, callee right, everybody else on both sides, on the timeline of the files. Nothing that was a gap sounds, whatever a decoder
 * makes of it. Undefined when no file can be decoded. `maxRate`: samples a second at most.
 */
export function planRender(capture: CaptureResult, maxRate: number): RenderPlan | undefined {
  const readable = capture.files.filter(({ extension }) => extension !== 'pcap');
  if (readable.length === 0) return undefined;
  const rate = Math.min(maxRate, Math.max(...readable.map(({ rate: own = CLOCK_RATE }) => own)));
  const ticks = Math.max(...capture.files.map(({ samples }) => samples));
  const chains: string[] = [];
  const sides: Record<'left' | 'right', string[]> = { left: [], right: [] };
  readable.forEach((file, input) => {
    partsOf(file).forEach(({ from, line, to }, part) => {
      const name = `c${input}x${part}`;
      const filters = [`pan=mono|c0=${from}`, ...silences(capture, line), `aresample=${rate}`];
      const names = to.map((side) => `${name}${side.slice(0, 1)}`);
      const split = names.length > 1 ? `,asplit=${names.length}` : '';
      chains.push(`[${input}:a]${filters.join(',')}${split}${names.map((each) => `[${each}]`).join('')}`);
      to.forEach((side, at) => sides[side].push(names[at] ?? name));
    });
  });
  const end = Math.round((ticks * rate) / CLOCK_RATE);
  for (const side of ['left', 'right'] as const) chains.push(mix(side, sides[side], { rate, end }));
  chains.push('[left][right]join=inputs=2:channel_layout=stereo[out]');
  return {
    inputs: readable.map(({ path, codec }) => (codec === 'OPUS' ? { path, decoder: 'libopus' } : { path })),
    graph: chains.join(';'),
    rate,
    ticks,
    left: capture.files.filter(({ extension }) => extension === 'pcap').map(describe),
    alone: linesAlone(readable),
  };
}

interface Part {
  /** What ffmpeg's `pan` takes of the file. */
  readonly from: string;
  readonly line: number | undefined;
  readonly to: readonly ('left' | 'right')[];
}

/** What of a file goes where. Two channels of one leg stay two where it stands on both sides, and are mixed where it has one of them. */
function partsOf({ channelRoles, channelLines }: CapturedFile): readonly Part[] {
  const [first, second] = channelRoles;
  if (first !== second || first === undefined)
    return channelRoles.map((role, channel) => ({
      from: `c${channel}`,
      line: channelLines[channel],
      to: sidesOf(role),
    }));
  const [line] = channelLines;
  const [left, right] = sidesOf(first);
  if (left === undefined || right === undefined) return [{ from: '0.5*c0+0.5*c1', line, to: sidesOf(first) }];
  return [
    { from: 'c0', line, to: [left] },
    { from: 'c1', line, to: [right] },
  ];
}

const sidesOf = (role: LineRole): Part['to'] =>
  role === 'caller' ? ['left'] : role === 'callee' ? ['right'] : ['left', 'right'];

/** Caller and callee have a side each; whoever else there is stands on both. */
function linesAlone(files: readonly CapturedFile[]): RenderPlan['alone'] {
  const placed = files.flatMap(({ channelLines, channelRoles }) =>
    channelRoles.map((role, at) => ({ role, line: channelLines[at] })),
  );
  return (['callee', 'caller'] as const).flatMap((otherSide, channel) => {
    const lines = new Set(placed.filter(({ role }) => role !== otherSide).map(({ line }) => line));
    const [line] = lines;
    return lines.size !== 1 || line === undefined ? [] : [{ line, channel }];
  });
}

const describe = ({ codec, channelRoles }: CapturedFile): string =>
  `${codec} on ${channelRoles.map((role: LineRole) => role).join(' and ')}`;

/** Parts of a side follow each other, each silent where another sounds: their sum is the side. */
function mix(side: string, parts: readonly string[], { rate, end }: { rate: number; end: number }): string {
  const whole = `apad=whole_len=${end},atrim=end_sample=${end}`;
  if (parts.length === 0) return `anullsrc=r=${rate}:cl=mono,atrim=end_sample=${end}[${side}]`;
  const inputs = parts.map((part) => `[${part}]`).join('');
  const sum = parts.length === 1 ? '' : `amix=inputs=${parts.length}:normalize=0,`;
  return `${inputs}${sum}${whole}[${side}]`;
}

/** Mutes the gaps of a line. */
function silences(capture: CaptureResult, line: number | undefined): readonly string[] {
  const gaps = capture.legs.find((leg) => leg.line === line)?.gaps ?? [];
  const muted = gaps.filter(({ cause, from, to }) => cause === 'paused' || to - from > CONCEALED);
  if (muted.length === 0) return [];
  const time = (ticks: number): string => (ticks / CLOCK_RATE).toFixed(4);
  const spans = muted.map(({ from, to }) => `gte(t,${time(from)})*lt(t,${time(to)})`).join('+');
  return [`volume=volume=0:eval=frame:enable='${spans}'`];
}
