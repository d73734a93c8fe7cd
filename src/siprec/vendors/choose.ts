import { audiocodes } from './audiocodes.ts';
import { avaya } from './avaya.ts';
import { broadworks, webex } from './broadworks.ts';
import { cubeNbr } from './cube-nbr.ts';
import { cube } from './cube.ts';
import { cucmBib } from './cucm-bib.ts';
import { jambonz } from './jambonz.ts';
import { metaswitch } from './metaswitch.ts';
import { oracle } from './oracle.ts';
import { freeswitch, opensips, sems, telnyx, twilio } from './plain.ts';
import type { CallEvidence, VendorProfile } from './profile.ts';
import { ribbon } from './ribbon.ts';

/** In the order they are tried: what only one vendor sends comes before what others imitate. */
const PROFILES: readonly VendorProfile[] = [
  ...[cubeNbr, cucmBib, jambonz, metaswitch, webex, broadworks, oracle, ribbon, audiocodes],
  ...[opensips, cube, avaya, telnyx, twilio, freeswitch, sems],
];

/** Values of the trunk setting `profile`. */
export const PROFILE_NAMES: readonly string[] = PROFILES.map(({ name }) => name);

export interface ChosenProfile {
  readonly profile: VendorProfile;
  readonly source: string;
}

/**
 * The profile a trunk is set to, else the one whose sign the call shows: controllers are often chained, so a sign is only
 * a suggestion (siprec-interop.md 4). Undefined when nothing shows. Never throws.
 */
export function chooseProfile(
  setting: string | undefined,
  evidence: CallEvidence,
): ChosenProfile | undefined {
  const set = PROFILES.find(({ name }) => name === setting);
  if (set !== undefined) return { profile: set, source: 'trunk setting' };
  for (const profile of PROFILES) {
    const sign = profile.recognise(evidence);
    if (sign !== undefined) return { profile, source: `recognised by ${sign}` };
  }
  return undefined;
}
