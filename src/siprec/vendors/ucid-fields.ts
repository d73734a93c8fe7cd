import { decodeUcid } from '../ucid.ts';
import { callId } from './evidence.ts';
import type { DerivedFields } from './profile.ts';

/** A UCID as call id, hexadecimal and decimal, and as what links recordings; nothing when the text holds none. */
export function ucidFields(text: string, source: string): Pick<DerivedFields, 'callIds' | 'related'> {
  const ucid = decodeUcid(text);
  if (ucid === undefined) return {};
  return {
    callIds: [...callId('ucid', ucid.decimal, source), ...callId('ucid-hex', ucid.hex, source)],
    related: [{ kind: 'ucid', value: ucid.decimal }],
  };
}
