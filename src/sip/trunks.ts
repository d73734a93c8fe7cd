import { BlockList, isIP } from 'node:net';
import type { SecurityPolicy } from '../siprec/secure-offer.ts';
import type { DigestSettings } from './digest.ts';
import type { TrunkTls } from './trunk-tls.ts';

export interface Trunk {
  readonly name: string;
  /** Addresses or networks in CIDR notation the client's requests come from. */
  readonly from: readonly string[];
  /** Where its RTP may come from; default: `from`, and the addresses its SDP names. */
  readonly media?: readonly string[] | undefined;
  readonly mode: 'compat' | 'strict';
  /** Vendor profile, one of `PROFILE_NAMES`; without it the vendor is recognised where it shows. */
  readonly profile?: string | undefined;
  /** Numbers of the operator for the direction of calls, see `NumberPlan`. */
  readonly ownNumbers?: readonly string[] | undefined;
  /** IANA zone of times the client sends without offset. */
  readonly srcTimeZone?: string | undefined;
  /** When set, an INVITE that opens a dialog needs a password (UAS-21). */
  readonly digest?: DigestSettings | undefined;
  /** Our answers require `siprec` of the client (UAS-15); most clients neither need nor expect it. */
  readonly requireSiprec?: boolean | undefined;
  /** A client whose recording was stopped is asked by a re-INVITE to send nothing any more. */
  readonly reInviteAtStop?: boolean | undefined;
  readonly tls?: TrunkTls | undefined;
  /** Encrypted media; `preferred` when left out. */
  readonly srtp?: SecurityPolicy['srtp'] | undefined;
  /** Media keys are taken from signalling without TLS too. */
  readonly srtpWithoutTls?: boolean | undefined;
  /** How a client that offers ICE is answered: as by a lite agent (the default), or as if it had not. */
  readonly ice?: SecurityPolicy['ice'];
  /** Empty datagrams keep the way of the audio open (RTP-3). Default true. */
  readonly rtpKeepAlive?: boolean | undefined;
  /** How a call is answered that the rules keep out: 200 with inactive streams (the default), or a status. */
  readonly notRecorded?: 'inactive' | 403 | 603 | undefined;
}

interface Network {
  readonly trunk: Trunk;
  readonly family: 'ipv4' | 'ipv6';
  readonly prefix: number;
  readonly addresses: BlockList;
}

/** Addresses whose trunk is remembered; a network of strangers must not fill the memory. */
const MOST_REMEMBERED = 1000;

/** Who may send us calls, by source address. */
export class Trunks {
  readonly #networks: readonly Network[];
  /** Clients are few and send many messages, each of which asks more than once. */
  readonly #known = new Map<string, Trunk | undefined>();

  /** Throws RangeError for an entry that is no address and no network. */
  constructor(trunks: readonly Trunk[]) {
    this.#networks = trunks
      .flatMap((trunk) => trunk.from.map((text) => networkOf(trunk, text)))
      .toSorted((a, b) => b.prefix - a.prefix);
  }

  /** The trunk with the most specific network around the address; undefined when there is none. */
  find(address: string): Trunk | undefined {
    const known = this.#known.get(address);
    if (known !== undefined || this.#known.has(address)) return known;
    const found = this.#lookUp(address);
    if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
    this.#known.set(address, found);
    return found;
  }

  #lookUp(address: string): Trunk | undefined {
    const plain = withoutMapping(address);
    const family = familyOf(plain);
    if (family === undefined) return undefined;
    return this.#networks.find(
      (network) => network.family === family && network.addresses.check(plain, family),
    )?.trunk;
  }
}

function networkOf(trunk: Trunk, text: string): Network {
  const [address = '', length] = text.split('/');
  const family = familyOf(address);
  if (family === undefined) throw new RangeError(`${text} is not a network`);
  const whole = family === 'ipv4' ? 32 : 128;
  const prefix = length === undefined ? whole : Number(length);
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > whole)
    throw new RangeError(`${text} is not a network`);
  const addresses = new BlockList();
  addresses.addSubnet(address, prefix, family);
  return { trunk, family, prefix, addresses };
}

/** A dual-stack socket shows IPv4 peers as `::ffff:192.0.2.1`. */
const withoutMapping = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}
