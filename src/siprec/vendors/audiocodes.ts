import { callId, field, header, signs } from './evidence.ts';
import type { VendorProfile } from './profile.ts';
import { ucidFields } from './ucid-fields.ts';

const shows = signs({
  'o=': /^AudiocodesGW\b/i,
  'user-agent': /\b(?:Mediant|AudioCodes)\b/i,
  namespace: /AudioCodes/i,
  'x-audc-call-id': /\S+/,
  'content-type': /boundary="?boundary_ac/i,
});

/** AudioCodes Mediant, legacy and RFC format (siprec-interop.md 4.9): call ids only, the sides by the general rules. */
export const audiocodes: VendorProfile = {
  name: 'audiocodes',
  recognise: (evidence) => shows(evidence),
  derive: (evidence) => {
    const ucid = ucidFields(field(evidence, 'avayaucid')?.value ?? '', 'metadata AvayaUCID');
    const genesys = field(evidence, 'genesysuuid')?.value ?? header(evidence, 'x-genesys-calluuid');
    const own = header(evidence, 'x-audc-call-id');
    return {
      callIds: [
        ...(ucid.callIds ?? []),
        ...callId('genesys-uuid', genesys, 'metadata GenesysUUID'),
        ...callId('audiocodes-call-id', own, 'x-audc-call-id'),
      ],
      related: [
        ...(ucid.related ?? []),
        ...(genesys === '' ? [] : [{ kind: 'genesys-uuid', value: genesys }]),
        ...(own === '' ? [] : [{ kind: 'audiocodes-call-id', value: own }]),
      ],
    };
  },
};
