import { parseHeaderValue } from './content-type.ts';
import { SiprecError } from './errors.ts';
import { splitMultipart, type BodyPart } from './multipart.ts';

/** What a SIP body holds for us. */
export interface SiprecBody {
  readonly sdp?: string;
  readonly metadata?: string;
  /** Media type the metadata came with, '' when its part named none. */
  readonly metadataType?: string;
  /** Charset parameter of that type, as it came. */
  readonly metadataCharset?: string | undefined;
  /** Types of the parts that were not used. */
  readonly otherTypes: readonly string[];
  readonly warnings: readonly string[];
}

const MAX_BODY = 1024 * 1024;

/**
 * Finds the SDP and the recording metadata in a body, whatever their order and nesting (siprec-interop.md 2.1;
 * RFC 7866 §9.1). An empty body gives an empty result. Throws SiprecError UNSUPPORTED_BODY when there is a body that
 * must be understood and is neither, BAD_MULTIPART and TOO_LARGE.
 */
export function parseBody(contentType: string | undefined, body: string): SiprecBody {
  if (body.length > MAX_BODY) throw new SiprecError('TOO_LARGE', `body of ${body.length} characters`);
  if (body.trim() === '') return { otherTypes: [], warnings: [] };
  const type = parseHeaderValue(contentType ?? '');
  const parts = type.value.startsWith('multipart/')
    ? splitMultipart(type, body)
    : [
        {
          type: type.value,
          disposition: '',
          charset: type.parameters.get('charset'),
          optional: false,
          content: body,
        },
      ];
  return select(parts);
}

function select(parts: readonly BodyPart[]): SiprecBody {
  const sdp = parts.find(isSdp);
  const metadata =
    parts.find((part) => part.type.startsWith('application/rs-metadata')) ??
    parts.find((part) => part !== sdp && part.disposition === 'recording-session') ??
    parts.find((part) => part !== sdp && hasRecordingRoot(part.content));
  const others = parts.filter((part) => part !== sdp && part !== metadata);
  const needed = others.find((part) => !part.optional);
  if (sdp === undefined && metadata === undefined && needed !== undefined)
    throw new SiprecError('UNSUPPORTED_BODY', `body of type ${needed.type || 'unknown'} is not understood`);
  return {
    otherTypes: others.map((part) => part.type),
    warnings: others.map((part) => `body part of type ${part.type || 'unknown'} ignored`),
    ...(sdp && { sdp: sdp.content }),
    ...(metadata && {
      metadata: metadata.content,
      metadataType: metadata.type,
      metadataCharset: metadata.charset,
    }),
  };
}

/** A part without a type that reads like SDP is taken as SDP; a wrong type is not second-guessed. */
const isSdp = (part: BodyPart): boolean =>
  part.type === 'application/sdp' || (part.type === '' && part.content.trimStart().startsWith('v=0'));

// The first element of the document; looking no further than a prolog can reach keeps it cheap.
const FIRST_ELEMENT = /<(?:[A-Za-z_][\w.-]{0,60}:)?([A-Za-z_][\w.-]{0,60})/;

function hasRecordingRoot(content: string): boolean {
  const root = FIRST_ELEMENT.exec(content.slice(0, 2048))?.[1];
  return root === 'recording' || root === 'recording_metadata';
}
