/** The two laws of ITU-T G.711, by their RTP names (RFC 3551 §4.5.14). */
export type Law = 'PCMA' | 'PCMU';

/** The octet of silence: smallest positive value of the law (G.711 tables 1a and 2a, as transmitted). */
export const SILENCE: Readonly<Record<Law, number>> = { PCMA: 0xd5, PCMU: 0xff };

/** RIFF format tags: WAVE_FORMAT_ALAW and WAVE_FORMAT_MULAW (RFC 2361). */
export const FORMAT_TAG: Readonly<Record<Law, number>> = { PCMA: 6, PCMU: 7 };
