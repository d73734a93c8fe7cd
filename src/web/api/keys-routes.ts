import { z } from 'zod';
import { apiRoute, type ApiRoute } from './route.ts';

/** What these routes need; `service/key-keeper.ts` fits. */
export interface KeysPort {
  roll(file?: {
    readonly bytes: Buffer;
    readonly password: string;
  }): Promise<{ readonly origin: string; readonly size: number; readonly certificatePem: string }>;
  adopt(pem: string, actor: string): Promise<string>;
  reset(): Promise<void>;
  restore(file: { readonly bytes: Buffer; readonly password: string }): Promise<string>;
}

const Rolled = z.object({
  origin: z.string(),
  size: z.number().describe('of the checkpoint that both keys have signed'),
  certificatePem: z.string().describe('the new one'),
});

/** Changes of the signing key while the recorder runs. */
export const keysRoutes = (keys: KeysPort): readonly ApiRoute[] => [
  apiRoute({
    method: 'POST',
    path: '/keys/roll',
    tag: 'keys',
    summary: 'Let a new signing key take over',
    description:
      'The key of a PKCS#12 file, or one made now. Both keys sign the change; the old one is destroyed.',
    changes: 'signing key rolled',
    body: z.strictObject({
      pkcs12: z.string().max(200_000).optional().describe('base64'),
      password: z.string().max(1000).optional(),
    }),
    answer: Rolled,
    handle: ({ body: { pkcs12, password = '' } }) =>
      keys.roll(pkcs12 === undefined ? undefined : { bytes: Buffer.from(pkcs12, 'base64'), password }),
  }),
  apiRoute({
    method: 'POST',
    path: '/keys/certificate',
    tag: 'keys',
    summary: 'Take up the certificate that an authority made for the key in use',
    changes: 'signing certificate replaced',
    body: z.strictObject({ pem: z.string().max(200_000).describe('ours and the chain up to its root') }),
    answer: z.object({ certificatePem: z.string() }),
    handle: async ({ body, actor }) => ({ certificatePem: await keys.adopt(body.pem, actor.name) }),
  }),
  apiRoute({
    method: 'POST',
    path: '/keys/restore',
    tag: 'keys',
    summary: 'Bring back keys that are missing',
    description: 'From the PKCS#12 file of `sealtape keys export`. What waits unsigned is sealed at once.',
    changes: 'signing key restored',
    body: z.strictObject({
      pkcs12: z.string().max(200_000).describe('base64'),
      password: z.string().max(1000),
    }),
    answer: z.object({ certificatePem: z.string() }),
    handle: async ({ body: { pkcs12, password } }) => ({
      certificatePem: await keys.restore({ bytes: Buffer.from(pkcs12, 'base64'), password }),
    }),
  }),
  apiRoute({
    method: 'POST',
    path: '/keys/reset',
    tag: 'keys',
    summary: 'Give up keys that are missing for good',
    description:
      'A new key is made, and a new epoch of the evidence log begins. Only while the keys are missing.',
    changes: 'signing key given up',
    answer: z.object({}),
    handle: async () => {
      await keys.reset();
      return {};
    },
  }),
];
