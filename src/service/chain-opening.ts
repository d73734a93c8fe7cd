import { Chain, emptyHead, type ClockReading } from '../jobs/chain.ts';
import { rollKey, takeUpRoll, type RollDeps } from '../jobs/roll-key.ts';
import { resumeChain } from '../jobs/seal.ts';

/** What a start asks of the keys; `store/node-keys.ts` fits. */
export interface KeysAtStart {
  isReset(): Promise<boolean>;
  endReset(): Promise<void>;
  finishRoll(): Promise<void>;
}

/** The chain where the database has it, with an interrupted key roll taken up. */
export async function openChain(
  origin: string,
  parts: Omit<RollDeps, 'chain'> & { readonly clock: () => ClockReading },
): Promise<Chain> {
  const { signer, clock } = parts;
  const resume = async () => {
    const head = (await resumeChain(origin, parts)) ?? emptyHead(origin);
    await takeUpRoll(origin, parts);
    return head;
  };
  return new Chain(await resume(), {
    get key() {
      return signer.key;
    },
    clock,
    resume,
  });
}

/** Once the log is open: a roll that was asked for while the recorder was stopped, or that a crash cut off, happens first of all. */
export async function settleKeys(keys: KeysAtStart, deps: RollDeps): Promise<void> {
  await keys.endReset();
  if (deps.signer.successor !== undefined) await rollKey(deps);
  await keys.finishRoll();
}
