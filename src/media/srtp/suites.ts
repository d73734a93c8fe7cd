/** How one crypto suite protects packets; sizes in bytes. */
export interface Suite {
  /** As RFC 4568 §6.2, RFC 6188 §3.1 and RFC 7714 §14.2 register it. */
  readonly name: SuiteName;
  readonly cipher: 'cm' | 'gcm';
  readonly keyBytes: 16 | 24 | 32;
  readonly saltBytes: 12 | 14;
  /** Authentication tag of an RTP packet, and of an RTCP packet. */
  readonly tagBytes: number;
  readonly rtcpTagBytes: number;
}

export type SuiteName =
  | 'AES_CM_128_HMAC_SHA1_80'
  | 'AES_CM_128_HMAC_SHA1_32'
  | 'AES_192_CM_HMAC_SHA1_80'
  | 'AES_192_CM_HMAC_SHA1_32'
  | 'AES_256_CM_HMAC_SHA1_80'
  | 'AES_256_CM_HMAC_SHA1_32'
  | 'AEAD_AES_128_GCM'
  | 'AEAD_AES_256_GCM';

const counterMode = (name: SuiteName, keyBytes: Suite['keyBytes'], tagBytes: number): Suite => ({
  name,
  cipher: 'cm',
  keyBytes,
  saltBytes: 14,
  tagBytes,
  // Also where RTP has 32 bits: RFC 4568 §6.2.2, RFC 5764 §4.1.2.
  rtcpTagBytes: 10,
});

const authenticated = (name: SuiteName, keyBytes: Suite['keyBytes']): Suite => ({
  name,
  cipher: 'gcm',
  keyBytes,
  saltBytes: 12,
  tagBytes: 16,
  rtcpTagBytes: 16,
});

const SUITES: Readonly<Record<SuiteName, Suite>> = {
  AES_CM_128_HMAC_SHA1_80: counterMode('AES_CM_128_HMAC_SHA1_80', 16, 10),
  AES_CM_128_HMAC_SHA1_32: counterMode('AES_CM_128_HMAC_SHA1_32', 16, 4),
  AES_192_CM_HMAC_SHA1_80: counterMode('AES_192_CM_HMAC_SHA1_80', 24, 10),
  AES_192_CM_HMAC_SHA1_32: counterMode('AES_192_CM_HMAC_SHA1_32', 24, 4),
  AES_256_CM_HMAC_SHA1_80: counterMode('AES_256_CM_HMAC_SHA1_80', 32, 10),
  AES_256_CM_HMAC_SHA1_32: counterMode('AES_256_CM_HMAC_SHA1_32', 32, 4),
  AEAD_AES_128_GCM: authenticated('AEAD_AES_128_GCM', 16),
  AEAD_AES_256_GCM: authenticated('AEAD_AES_256_GCM', 32),
};

export const suiteOf = (name: SuiteName): Suite => SUITES[name];

export const SUITE_NAMES = Object.keys(SUITES) as readonly SuiteName[];
