import { isSupportedCountry } from 'libphonenumber-js';
import { z } from 'zod';
import { isNumberPattern } from './number-pattern.ts';

/** Of rules, groups, announcements: fits every place a name goes to, the evidence log included. */
const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, { error: 'not a name (small letters, digits, dashes, at most 40)' });

/** A number, or a pattern of numbers. */
export const NumberPattern = z.string().refine(isNumberPattern, {
  error: 'not a number, a pattern such as +4989555* or 1?5, or a range such as 10-99',
});

/** A user: an extension or number (as above), or an address of record such as `anna@pbx.example`, `*` standing for anything. */
export const UserPattern = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => text.includes('@') || isNumberPattern(text), {
    error: 'not an extension, number or address',
  });

const Clock = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, { error: 'not a time such as 08:30' });

const Zone = z.string().refine(isTimeZone, { error: 'not a time zone such as Europe/Berlin' });

const Window = z.strictObject({
  days: z
    .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
    .min(1)
    .optional(),
  from: Clock.default('00:00'),
  to: Clock.default('24:00'),
  zone: Zone.optional().describe('default: the time zone of the installation'),
});

const some = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(100_000);

/** All that are given must hold; of a list, one entry. */
const Conditions = z.strictObject({
  user: some(UserPattern)
    .optional()
    .describe('whose calls are recorded: extension, number or address of record'),
  group: some(Name).optional().describe('one of the recorded users is logged in to one of these groups'),
  caller: some(NumberPattern).optional(),
  callee: some(NumberPattern).optional(),
  number: some(NumberPattern).optional().describe('of either side'),
  direction: some(z.enum(['in', 'out', 'internal', 'unknown'])).optional(),
  trunk: some(z.string().min(1)).optional(),
  time: some(Window).optional(),
  special: some(z.enum(['emergency', 'feature-code'])).optional(),
});

const Rule = z.strictObject({
  id: Name.refine((id) => id !== 'default' && id !== 'feature-code', {
    error: 'this id has a meaning of its own',
  }),
  description: z.string().max(500).optional(),
  when: Conditions.default({}).describe('empty: every call'),
  unless: Conditions.optional().describe('when these hold too, the rule does not match'),
  record: z.boolean(),
  legs: z.enum(['both', 'caller', 'callee']).default('both'),
  layout: z.enum(['stereo', 'per-leg']).default('stereo'),
  retention: Name.optional().describe('profile; default: that of the installation'),
  destinations: z.union([z.literal('all'), z.array(Name)]).default('all'),
  mayStop: z.boolean().default(false).describe('whether users may stop the recording during the call'),
  announcement: Name.optional(),
});

/** All rules of an installation, in their order: the first that matches decides. */
export const RuleSet = z
  .strictObject({
    country: z
      .string()
      .refine((code) => isSupportedCountry(code), { error: 'not a country code such as DE' })
      .optional()
      .describe('of numbers dialled without country code; without it they are compared as they are'),
    emergencyNumbers: z.array(z.string().regex(/^\d{2,6}$/)).default(['110', '112', '911', '999']),
    featureCodes: z
      .enum(['never', 'by-rules'])
      .default('never')
      .describe('calls to or from numbers with * or #; never: they are not recorded, whatever the rules say'),
    default: z.enum(['record', 'refuse']).default('record').describe('for calls that no rule matches'),
    rules: z.array(Rule).max(1000).default([]),
  })
  .superRefine(({ rules }, context) => {
    rules.forEach(({ id }, at) => {
      if (rules.findIndex((rule) => rule.id === id) !== at)
        context.addIssue({
          code: 'custom',
          message: `the id ${id} is used twice`,
          path: ['rules', at, 'id'],
        });
    });
  });

export type RuleSet = z.output<typeof RuleSet>;
export type Rule = z.output<typeof Rule>;
export type Conditions = z.output<typeof Conditions>;
export type TimeWindow = z.output<typeof Window>;

/** What holds while nobody has made rules: everything is recorded but feature codes. */
export const NO_RULES: RuleSet = RuleSet.parse({});

/** What rules may name beside themselves. */
export interface KnownNames {
  readonly destinations: readonly string[];
  /** Retention profiles. */
  readonly profiles: readonly string[];
  /** Left out where it is not known yet what can be played. */
  readonly announcements?: readonly string[];
}

/** Names in the rules that stand for nothing, with their place: a recording would be kept other than whoever wrote the rule believes. */
export function unknownNames(
  { rules }: RuleSet,
  { destinations, profiles, announcements }: KnownNames,
): readonly { readonly path: readonly (string | number)[]; readonly message: string }[] {
  return rules.flatMap(({ retention, announcement, destinations: wanted }, at) => [
    ...(retention === undefined || profiles.includes(retention)
      ? []
      : [{ path: ['rules', at, 'retention'], message: `not one of ${profiles.join(', ')}` }]),
    ...(announcement === undefined || announcements === undefined || announcements.includes(announcement)
      ? []
      : [{ path: ['rules', at, 'announcement'], message: `not one of ${announcements.join(', ')}` }]),
    ...(wanted === 'all' ? [] : wanted)
      .filter((each) => !destinations.includes(each))
      .map((each) => ({
        path: ['rules', at, 'destinations'],
        message: `${each} is not one of ${destinations.join(', ')}`,
      })),
  ]);
}

function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
