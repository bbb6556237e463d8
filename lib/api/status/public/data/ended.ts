import { Times } from './series.js';
import { Upstream } from './upstream.js';
import type { ClosedInfo, UpstreamInfo } from './wire.js';

/** An upstream that has ended: a row without rates, which has the record of its end. */
export class Ended extends Upstream {
  constructor(
    key: number,
    public override failure: ClosedInfo,
  ) {
    super({ key, info: infoOf(failure), uptime: 0, numbers: [] }, 0, new Times());
  }

  override get isEnded(): boolean {
    return true;
  }

  /** Takes a later record of the same upstream. */
  become(record: ClosedInfo): void {
    if (record === this.failure) return;
    this.failure = record;
    this.update({ key: this.key, info: infoOf(record), uptime: 0, numbers: [] }, 0);
  }
}

function infoOf({ id, shortened, url, reason, message, lastStatus, node }: ClosedInfo): UpstreamInfo {
  return {
    id,
    shortened,
    url,
    remoteAddr: '',
    localAddr: '',
    connection: 0,
    state: 'ended',
    degraded: null,
    lastStatus,
    lastError: `${reason}: ${message}`,
    nextAttempt: null,
    elsewhere: null,
    backup: null,
    reconnects: 0,
    memLimit: 0,
    streams: [],
    ...(node === undefined ? {} : { node }),
  };
}
