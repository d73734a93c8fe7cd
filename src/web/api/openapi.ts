import { z } from 'zod';
import { STATUS, type WebErrorCode } from '../web-error.ts';
import type { ApiRoute } from './route.ts';

type Json = Record<string, unknown>;

/** Errors that any operation may answer with. */
const COMMON: readonly WebErrorCode[] = [
  'INVALID',
  'UNAUTHORIZED',
  'NOT_FOUND',
  'CONFLICT',
  'DATABASE_AWAY',
  'INTERNAL',
];

/** The OpenAPI 3.1 document of the routes; its schemas are the ones the requests are checked with. */
export function openApiDocument(routes: readonly ApiRoute[], software: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sealtape',
      version: /[^/ ]+$/.exec(software)?.[0] ?? software,
      description: 'What is recorded, and what was. Every change is a step in the log with its actor.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/api/v1' }],
    security: [{ adminToken: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        adminToken: { type: 'http', scheme: 'bearer', description: 'Printed by `sealtape token`.' },
      },
      schemas: { Error: ERROR },
    },
  };
}

const ERROR: Json = {
  type: 'object',
  required: ['error', 'message'],
  properties: {
    error: { type: 'string', description: 'A code that stays the same', examples: COMMON },
    message: { type: 'string', description: 'One sentence for people' },
    faults: {
      type: 'array',
      description: 'What is wrong with the request, each with its place',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

function operationOf(route: ApiRoute): Json {
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace(/[^A-Za-z0-9]+/g, '_').replace(/_$/, '')}`,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    parameters: [...parametersOf('path', route.params), ...parametersOf('query', route.query)],
    ...requestOf(route),
    responses: { ...answerOf(route), ...errorsOf() },
  };
}

function parametersOf(place: 'path' | 'query', schema: z.ZodType | undefined): readonly Json[] {
  if (schema === undefined) return [];
  const { properties, required } = schemaOf(schema, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties ?? {}).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path' || (required?.includes(name) ?? false),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function requestOf(route: ApiRoute): Json {
  if (route.raw !== undefined) {
    const content = route.raw.types.map((type) => [type, { schema: { type: 'string', format: 'binary' } }]);
    return { requestBody: { required: true, content: Object.fromEntries(content) as Json } };
  }
  if (route.body === undefined) return {};
  return {
    requestBody: {
      required: true,
      content: { 'application/json': { schema: schemaOf(route.body, 'input') } },
    },
  };
}

function answerOf(route: ApiRoute): Json {
  if (route.answerType !== undefined)
    return {
      200: {
        description: 'The file',
        content: { [route.answerType]: { schema: { type: 'string', format: 'binary' } } },
      },
    };
  if (route.answer === undefined) return { 204: { description: 'Done' } };
  return {
    200: {
      description: 'Done',
      content: { 'application/json': { schema: schemaOf(route.answer, 'output') } },
    },
  };
}

const errorsOf = (): Json =>
  Object.fromEntries(
    [...new Set(COMMON.map((code) => STATUS[code]))].map((status) => [
      status,
      {
        description: COMMON.filter((code) => STATUS[code] === status).join(', '),
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    ]),
  );

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const json = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  // The document as a whole names the dialect.
  delete json.$schema;
  return json;
}
