import { identityFrom } from '../siprec/address.ts';
import { describeCall } from '../siprec/description.ts';
import { sessionIdHalves } from '../siprec/identifier.ts';
import type { SessionOffer } from '../siprec/sdp.ts';
import { decodeUcid } from '../siprec/ucid.ts';
import { ownIdsIn, VENDOR_HEADERS } from '../siprec/vendor-headers.ts';
import { guidIds } from '../siprec/vendors/cisco-guid.ts';
import type { SipRequest } from './drachtio.ts';
import type { Trunk } from './trunks.ts';

/** Who hears an announcement, and by what its call may be found again. */
export interface AnnouncedParty {
  /** As they were signalled, who the trunk vouches for first. */
  readonly numbers: readonly string[];
  /** Ids of the call in the PBX, and of SIP. */
  readonly callIds: readonly string[];
}

const NO_OFFER: SessionOffer = { origin: '', timing: '0 0', lines: [], warnings: [] };
/** Of a call that went through many hands. */
const MOST = 20;

/** Where parties of the call may stand; the address that was asked for is none. */
const PARTIES = [
  ...['p-asserted-identity', 'remote-party-id', 'from', 'diversion', 'history-info', 'p-called-party-id'],
];

/** Never throws. */
export function announcedParty(request: SipRequest, trunk: Pick<Trunk, 'profile'>): AnnouncedParty {
  const numbers = PARTIES.flatMap((name) => identityFrom(request.get(name) ?? '')?.number ?? []);
  return {
    numbers: [...new Set(numbers)].filter((number) => number !== 'anonymous').slice(0, MOST),
    callIds: [...new Set(idsOf(request, trunk))].filter((id) => id !== '').slice(0, MOST),
  };
}

function idsOf(request: SipRequest, { profile }: Pick<Trunk, 'profile'>): readonly string[] {
  const headers = Object.fromEntries(
    VENDOR_HEADERS.flatMap((name) => {
      const value = request.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const { pbxCallIds = [], related = [] } = describeCall({
    offer: NO_OFFER,
    state: undefined,
    metadataStatus: 'absent',
    headers,
    ...(profile !== undefined && { profile }),
  });
  const ucid = decodeUcid(request.get('user-to-user') ?? '');
  const own = ownIdsIn(Object.keys(request.headers ?? {}));
  return [
    ...[...pbxCallIds, ...related, ...guidIds(request.get('cisco-guid') ?? '')].map(({ value }) => value),
    ...(ucid === undefined ? [] : [ucid.decimal, ucid.hex]),
    ...sessionIdHalves(request.get('session-id') ?? ''),
    ...own.flatMap((name) => spellingsOf(request.get(name)?.trim() ?? '')),
    request.get('call-id') ?? '',
  ];
}

function spellingsOf(id: string): readonly string[] {
  const ucid = decodeUcid(id);
  return ucid === undefined ? [id] : [id, ucid.decimal, ucid.hex];
}
