import { describe, expect, test } from '@jest/globals';
import {
  nextInviteClient,
  nextNonInviteClient,
  type ClientEvent,
  type ClientState,
} from '../../src/sip-server/client-states.ts';
import {
  nextInviteServer,
  nextNonInviteServer,
  type ServerEvent,
  type ServerState,
} from '../../src/sip-server/server-states.ts';

const UDP = false;
const TCP = true;

describe('an INVITE server transaction', () => {
  test.each<[ServerState, ServerEvent, boolean, ServerState, string[]]>([
    ['proceeding', 'request', UDP, 'proceeding', ['resend']],
    ['proceeding', 'provisional', UDP, 'proceeding', []],
    ['proceeding', 'success', UDP, 'accepted', ['arm-end']],
    ['proceeding', 'failure', UDP, 'completed', ['arm-end', 'arm-resend']],
    ['proceeding', 'failure', TCP, 'completed', ['arm-end']],
    ['completed', 'request', UDP, 'completed', ['resend']],
    ['completed', 'resend-timer', UDP, 'completed', ['resend', 'arm-resend']],
    ['completed', 'ack', UDP, 'confirmed', ['stop-resend', 'arm-end-after-ack']],
    ['completed', 'ack', TCP, 'terminated', ['end']],
    ['completed', 'end-timer', UDP, 'terminated', ['no-ack-came', 'end']],
    ['confirmed', 'request', UDP, 'confirmed', []],
    ['confirmed', 'ack', UDP, 'confirmed', []],
    ['confirmed', 'end-timer', UDP, 'terminated', ['end']],
    ['accepted', 'request', UDP, 'accepted', []],
    ['accepted', 'ack', UDP, 'accepted', []],
    ['accepted', 'ack', TCP, 'terminated', ['end']],
    ['accepted', 'end-timer', UDP, 'terminated', ['end']],
    ['terminated', 'request', UDP, 'terminated', []],
  ])('in %s on %s (reliable: %s) becomes %s', (...[state, event, reliable, after, effects]) => {
    expect(nextInviteServer(state, event, reliable)).toEqual({ state: after, effects });
  });
});

describe('another server transaction', () => {
  test.each<[ServerState, ServerEvent, boolean, ServerState, string[]]>([
    ['trying', 'request', UDP, 'trying', []],
    ['trying', 'provisional', UDP, 'proceeding', []],
    ['proceeding', 'request', UDP, 'proceeding', ['resend']],
    ['proceeding', 'failure', UDP, 'completed', ['arm-end']],
    ['trying', 'success', UDP, 'completed', ['arm-end']],
    ['trying', 'success', TCP, 'terminated', ['end']],
    ['completed', 'request', UDP, 'completed', ['resend']],
    ['completed', 'end-timer', UDP, 'terminated', ['end']],
  ])('in %s on %s (reliable: %s) becomes %s', (...[state, event, reliable, after, effects]) => {
    expect(nextNonInviteServer(state, event, reliable)).toEqual({ state: after, effects });
  });
});

describe('an INVITE client transaction', () => {
  test.each<[ClientState, ClientEvent, boolean, ClientState, string[]]>([
    ['calling', 'resend-timer', UDP, 'calling', ['resend', 'arm-resend']],
    ['calling', 'provisional', UDP, 'proceeding', ['stop-resend', 'stop-timeout', 'deliver']],
    ['calling', 'timeout', UDP, 'terminated', ['report-timeout', 'end']],
    ['calling', 'transport-error', TCP, 'terminated', ['report-unreachable', 'end']],
    ['proceeding', 'success', UDP, 'accepted', ['stop-resend', 'stop-timeout', 'arm-end', 'deliver']],
    [
      'proceeding',
      'failure',
      UDP,
      'completed',
      ['stop-resend', 'stop-timeout', 'send-ack', 'deliver', 'arm-end'],
    ],
    [
      'proceeding',
      'failure',
      TCP,
      'terminated',
      ['stop-resend', 'stop-timeout', 'send-ack', 'deliver', 'end'],
    ],
    ['accepted', 'success', UDP, 'accepted', ['repeat-ack']],
    ['completed', 'failure', UDP, 'completed', ['send-ack']],
    ['completed', 'end-timer', UDP, 'terminated', ['end']],
    ['terminated', 'success', UDP, 'terminated', []],
  ])('in %s on %s (reliable: %s) becomes %s', (...[state, event, reliable, after, effects]) => {
    expect(nextInviteClient(state, event, reliable)).toEqual({ state: after, effects });
  });
});

describe('another client transaction', () => {
  test.each<[ClientState, ClientEvent, boolean, ClientState, string[]]>([
    ['calling', 'resend-timer', UDP, 'calling', ['resend', 'arm-resend']],
    ['calling', 'provisional', UDP, 'proceeding', ['deliver']],
    ['proceeding', 'resend-timer', UDP, 'proceeding', ['resend', 'arm-resend']],
    ['proceeding', 'failure', UDP, 'completed', ['stop-resend', 'stop-timeout', 'deliver', 'arm-end']],
    ['calling', 'success', TCP, 'terminated', ['stop-resend', 'stop-timeout', 'deliver', 'end']],
    ['completed', 'success', UDP, 'completed', []],
    ['calling', 'timeout', UDP, 'terminated', ['report-timeout', 'end']],
    ['calling', 'transport-error', TCP, 'terminated', ['report-unreachable', 'end']],
  ])('in %s on %s (reliable: %s) becomes %s', (...[state, event, reliable, after, effects]) => {
    expect(nextNonInviteClient(state, event, reliable)).toEqual({ state: after, effects });
  });
});
