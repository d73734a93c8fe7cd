/** An error answer of Amazon S3 (API reference, "Error responses"). */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly status: number;
  readonly code: string;
  /** More elements of the document. */
  readonly details: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    more: {
      readonly details?: Readonly<Record<string, string>>;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = more.details ?? {};
    this.headers = more.headers ?? {};
  }
}

export const accessDenied = (message = 'Access Denied'): AwsError =>
  new AwsError(403, 'AccessDenied', message);

export const invalidRequest = (message: string): AwsError => new AwsError(400, 'InvalidRequest', message);

export const invalidArgument = (message: string, name: string, value: string): AwsError =>
  new AwsError(400, 'InvalidArgument', message, { details: { ArgumentName: name, ArgumentValue: value } });

export const notImplemented = (header: string): AwsError =>
  new AwsError(
    501,
    'NotImplemented',
    'A header you provided implies functionality that is not implemented.',
    {
      details: { Header: header },
    },
  );

export const preconditionFailed = (condition: string): AwsError =>
  new AwsError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    details: { Condition: condition },
  });
