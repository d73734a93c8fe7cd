import { z } from 'zod';
import { WebError } from '../web-error.ts';
import { apiRoute, type ApiRoute } from './route.ts';

/** What these routes need; `recorder/recorder.ts` fits. */
export interface RunningCalls {
  running(): readonly {
    readonly id: string;
    readonly startedAt: number;
    readonly facts: { readonly callId: string; readonly trunk: string };
    readonly description: {
      readonly direction: string;
      readonly caller: PartyShown;
      readonly callee: PartyShown;
      readonly user?: { readonly value: string } | undefined;
      readonly pbxCallId?: { readonly value: string } | undefined;
    };
    readonly decision: { readonly rule: string; readonly version: number; readonly mayStop: boolean };
    readonly paused: readonly string[];
  }[];
  stop(recording: string, actor: string): Promise<'stopped' | 'not-allowed' | 'over' | undefined>;
  pause(recording: string, by: Order): Promise<boolean | undefined>;
  resume(recording: string, by: Order): Promise<boolean | undefined>;
}

interface PartyShown {
  readonly name?: string | undefined;
  readonly number?: string | undefined;
  readonly aor?: string | undefined;
}

interface Order {
  readonly cause: 'operator';
  readonly actor: string;
}

const Party = z.object({
  name: z.string().optional(),
  number: z.string().optional(),
  aor: z.string().optional(),
});

const Running = z.object({
  id: z.uuid(),
  startedAt: z.number().describe('epoch milliseconds'),
  trunk: z.string(),
  callId: z.string(),
  pbxCallId: z.string().optional(),
  direction: z.string(),
  caller: Party,
  callee: Party,
  user: z.string().optional(),
  rule: z.string(),
  version: z.number(),
  mayStop: z.boolean(),
  paused: z.array(z.string()).describe('why nothing is kept at the moment'),
});

const One = z.strictObject({ id: z.uuid() });
const Changed = z.object({ changed: z.boolean().describe('false: it was so already') });

/** Calls that are being recorded now, and what may be done with them. */
export const runningRoutes = (calls: RunningCalls): readonly ApiRoute[] => [
  apiRoute({
    method: 'GET',
    path: '/calls',
    tag: 'calls',
    summary: 'Calls that this recorder is recording now',
    answer: z.object({ calls: z.array(Running) }),
    handle: () => ({ calls: calls.running().map(shown) }),
  }),
  apiRoute({
    method: 'POST',
    path: '/calls/{id}/stop',
    tag: 'calls',
    summary: 'End the recording of a call that goes on',
    description:
      'Nothing that is said from now on is kept, and nothing can take that back: a recording never begins in mid-call. Only where the rule of ' +
      'the call allows it (mayStop).',
    changes: 'recording stopped',
    params: One,
    handle: async ({ params, actor, note }) => {
      note(params.id);
      const done = await calls.stop(params.id, actor.name);
      if (done === undefined || done === 'over') throw gone();
      if (done === 'not-allowed')
        throw new WebError('NOT_ALLOWED', 'The rule of this call does not allow to stop its recording.');
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/calls/{id}/pause',
    tag: 'calls',
    summary: 'Keep nothing of a call until it is resumed',
    description: 'Silence in the file, an entry in the evidence log.',
    changes: 'recording paused',
    params: One,
    answer: Changed,
    handle: async ({ params, actor, note }) => {
      note(params.id);
      return changed(await calls.pause(params.id, { cause: 'operator', actor: actor.name }), note);
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/calls/{id}/resume',
    tag: 'calls',
    summary: 'Go on keeping a call that was paused by this API',
    changes: 'recording resumed',
    params: One,
    answer: Changed,
    handle: async ({ params, actor, note }) => {
      note(params.id);
      return changed(await calls.resume(params.id, { cause: 'operator', actor: actor.name }), note);
    },
  }),
];

const gone = (): WebError => new WebError('NOT_FOUND', 'No such call is being recorded.');

function changed(done: boolean | undefined, note: (detail: string) => void): { readonly changed: boolean } {
  if (done === undefined) throw gone();
  if (!done) note('it was so already');
  return { changed: done };
}

function shown(call: ReturnType<RunningCalls['running']>[number]): z.input<typeof Running> {
  const { id, startedAt, facts, description, decision, paused } = call;
  const { direction, caller, callee, user, pbxCallId } = description;
  const { rule, version, mayStop } = decision;
  return {
    id,
    startedAt,
    trunk: facts.trunk,
    callId: facts.callId,
    pbxCallId: pbxCallId?.value,
    direction,
    caller,
    callee,
    user: user?.value,
    rule,
    version,
    mayStop,
    paused: [...paused],
  };
}
