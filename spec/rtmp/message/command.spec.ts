import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { isCommand, readCommand } from '../../../lib/rtmp/message/command.js';
import { hex } from '../../support/values/bytes.js';

const name = '02 0007 5f726573756c74';

describe('readCommand', () => {
  it('reads name, transaction and arguments', () => {
    const command = readCommand(20, hex(`${name} 00 4010000000000000 05 00 3ff0000000000000`));
    assert.deepEqual(command, { name: '_result', transaction: 4, args: [null, 1] });
  });

  it('reads the same in the AMF3 envelope', () => {
    const command = readCommand(17, hex(`00 ${name} 00 4010000000000000 05`));
    assert.deepEqual(command, { name: '_result', transaction: 4, args: [null] });
  });

  it('takes 0 for a transaction that is missing or no number', () => {
    assert.deepEqual(readCommand(20, hex(name)), { name: '_result', transaction: 0, args: [] });
    assert.deepEqual(readCommand(20, hex(`${name} 05 01 01`)), { name: '_result', transaction: 0, args: [true] });
  });

  it('keeps the arguments ahead of one that cannot be read', () => {
    const command = readCommand(17, hex(`00 ${name} 00 4010000000000000 05 11 0a0b`));
    assert.deepEqual([command.transaction, command.args, command.fault?.code], [4, [null], 'rtmp_bad_amf']);
  });

  it('refuses a message without a name', () => {
    assert.throws(() => readCommand(20, hex('')), { code: 'rtmp_bad_amf' });
    assert.throws(() => readCommand(17, hex('')), { code: 'rtmp_bad_amf' });
    assert.throws(() => readCommand(20, hex('05')), { code: 'rtmp_bad_message' });
    assert.throws(() => readCommand(20, hex('02 0007 5f72')), { code: 'rtmp_bad_amf' });
  });

  it('knows the types that carry commands', () => {
    assert.deepEqual([...Array(30).keys()].filter(isCommand), [17, 20]);
  });
});
