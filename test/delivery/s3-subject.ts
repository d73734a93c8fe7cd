import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Destination } from '../../src/jobs/destination.ts';
import type { DestinationSubject } from './conformance.ts';

/** A part of a bucket under test, looked at with a client of its own. */
export function s3Subject(
  client: S3Client,
  { Bucket, root }: { readonly Bucket: string; readonly root: string },
  destination: Destination,
): DestinationSubject {
  const keyOf = (path: string): string => `${root}/${path}`;
  return {
    destination,
    read: async (path) => {
      const found = await client
        .send(new GetObjectCommand({ Bucket, Key: keyOf(path) }))
        .catch(() => undefined);
      return found?.Body && Buffer.from(await found.Body.transformToByteArray());
    },
    list: async (folder) => {
      const Prefix = folder === '' ? `${root}/` : `${keyOf(folder)}/`;
      const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, Delimiter: '/' }));
      const folders = (page.CommonPrefixes ?? []).map((each) => each.Prefix?.slice(Prefix.length, -1) ?? '');
      return [...(page.Contents ?? []).map(({ Key }) => Key?.slice(Prefix.length) ?? ''), ...folders].sort();
    },
    place: async (path, bytes) => {
      await client.send(
        new PutObjectCommand({ Bucket, Key: keyOf(path), Body: bytes, ContentLength: bytes.length }),
      );
    },
    remove: () => Promise.resolve(),
  };
}
