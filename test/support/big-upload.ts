import { createReadStream } from 'node:fs';
import process from 'node:process';
import { openOneDriveDestination } from '../../src/delivery/onedrive.ts';
import { openPathDestination } from '../../src/delivery/path.ts';
import { openS3Destination } from '../../src/delivery/s3.ts';
import { openSftpDestination } from '../../src/delivery/sftp.ts';
import { openSmbDestination } from '../../src/delivery/smb.ts';
import type { Destination } from '../../src/jobs/destination.ts';

/** A program that puts one file into a destination and says what memory that took, in octets. */
export interface BigUpload {
  readonly kind: keyof typeof OPEN;
  readonly options: object;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

export interface BigUploadResult {
  readonly before: number;
  readonly peak: number;
  readonly seconds: number;
  readonly proof: string;
}

const OPEN = {
  path: openPathDestination,
  smb: openSmbDestination,
  sftp: openSftpDestination,
  s3: openS3Destination,
  onedrive: openOneDriveDestination,
} as const;

const { kind, options, file, size, sha256 } = JSON.parse(process.argv[2] ?? '') as BigUpload;
const open = OPEN[kind] as (options: object) => Destination;
const destination = open(options);
const { signal } = new AbortController();
await destination.capabilities(signal);
const before = process.memoryUsage.rss();
const began = performance.now();
const { proof } = await destination.put(
  { path: 'd/big.wav', size, sha256, file, open: (start = 0) => createReadStream(file, { start }) },
  signal,
);
const seconds = (performance.now() - began) / 1000;
const peak = process.resourceUsage().maxRSS * 1024;
await destination.close();
process.stdout.write(JSON.stringify({ before, peak, seconds, proof } satisfies BigUploadResult));
