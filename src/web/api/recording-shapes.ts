import { z } from 'zod';
import type { CallFacts } from '../../recorder/events.ts';
import type { Decision } from '../../rules/decision.ts';
import type { CallDescription, Party } from '../../siprec/description.ts';

/** A recording's own id, in an address. */
export const RecordingId = z.strictObject({
  recording: z.uuid({ error: 'not the id of a recording' }),
});

const Side = z.object({
  number: z.string().optional(),
  name: z.string().optional(),
  aor: z.string().optional(),
  source: z.string().describe('where this comes from'),
});

/** Who, whom, which way, as the list, the details and the running calls show it. */
export const CallSummary = z.object({
  direction: z.string(),
  caller: Side,
  callee: Side,
  user: z.string().optional().describe('the recorded user as signalled'),
  group: z.string().optional(),
  trunk: z.string(),
  callId: z.string().describe('of SIP'),
  pbxCallId: z.string().optional(),
});

export const DecisionSummary = z.object({
  rule: z.string(),
  version: z.number(),
  reason: z.string(),
  legs: z.string(),
  layout: z.string(),
  mayStop: z.boolean(),
});

export const summaryOf = (call: {
  readonly facts: Pick<CallFacts, 'trunk' | 'callId'>;
  readonly description: CallDescription;
}): z.input<typeof CallSummary> => {
  const { facts, description } = call;
  const { direction, caller, callee, user, group, pbxCallId } = description;
  return {
    direction,
    caller: sideOf(caller),
    callee: sideOf(callee),
    ...(user !== undefined && { user: user.value }),
    ...(group !== undefined && { group: group.value }),
    trunk: facts.trunk,
    callId: facts.callId,
    ...(pbxCallId !== undefined && { pbxCallId: pbxCallId.value }),
  };
};

export const decisionOf = ({
  rule,
  version,
  reason,
  legs,
  layout,
  mayStop,
}: Decision): z.input<typeof DecisionSummary> => ({ rule, version, reason, legs, layout, mayStop });

const sideOf = ({ number, name, aor, source }: Party): z.input<typeof Side> => ({
  source,
  ...(number !== undefined && { number }),
  ...(name !== undefined && { name }),
  ...(aor !== undefined && { aor }),
});
