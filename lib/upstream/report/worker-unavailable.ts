import { KmpRtmpError } from '../../base/errors.js';

/** A worker process does not answer, or is being replaced. What is asked of it is not known. */
export class WorkerUnavailable extends KmpRtmpError {
  constructor(why: string) {
    super('worker_unavailable', why);
  }
}
