import type { Readable } from 'node:stream';
import type { z } from 'zod';

/** Who asks. Every change is logged with it. */
export interface Actor {
  /** For the log, for example `admin-token` or `admin-token (anna at a terminal)`. */
  readonly name: string;
}

/** What a handler gets: everything is checked already. */
export interface ApiCall<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly actor: Actor;
  /** A request header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** What the log says about a change beside its name, for example the new version. Never a secret, never a party of a call. */
  readonly note: (detail: string) => void;
}

/** One operation of the API, as `registerApi` serves it and the OpenAPI document describes it. */
export interface ApiRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';
  /** Below `/api/v1`, parameters in braces: `/groups/{group}/members`. */
  readonly path: string;
  /** Section of the document, for example `rules`. */
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** For operations that change something: the step the log states, for example `rules replaced`. */
  readonly changes?: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  /** The JSON body; `raw` instead takes the octets of the request as they are (uploads), up to `limit`. */
  readonly body?: z.ZodType;
  readonly raw?: { readonly limit: number; readonly types: readonly string[] };
  /** JSON answered with 200; without it 204, or what a `RawAnswer` says. */
  readonly answer?: z.ZodType;
  /** Content type of a `RawAnswer`, for the document. */
  readonly answerType?: string;
  // The handler's types were checked by `apiRoute`; here they differ from route to route.
  readonly handle: (call: ApiCall<never, never, never>) => unknown;
}

type Checked<S> = S extends z.ZodType ? z.output<S> : undefined;

type Answered<S> = S extends z.ZodType ? z.input<S> | Promise<z.input<S>> : unknown;

/**
 * Declares a route: the types of params, query, body and answer follow from their schemas. The handler throws WebError for what
 * cannot be done; `raw` bodies arrive as a Buffer.
 */
export function apiRoute<
  const P extends z.ZodType | undefined = undefined,
  const Q extends z.ZodType | undefined = undefined,
  const B extends z.ZodType | undefined = undefined,
  const A extends z.ZodType | undefined = undefined,
  const R extends ApiRoute['raw'] = undefined,
>(
  route: Omit<ApiRoute, 'params' | 'query' | 'body' | 'raw' | 'answer' | 'handle'> & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    readonly raw?: R;
    readonly answer?: A;
    readonly handle: (
      call: ApiCall<Checked<P>, Checked<Q>, R extends object ? Buffer : Checked<B>>,
    ) => Answered<A>;
  },
): ApiRoute {
  return route as unknown as ApiRoute;
}

/** An answer that is no JSON: a file, or part of one. */
export class RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Readable | Buffer | undefined;

  constructor(
    status: number,
    headers: Readonly<Record<string, string | number>>,
    body: Readable | Buffer | undefined,
  ) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}
