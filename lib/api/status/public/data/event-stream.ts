/** An event of an event stream (HTML standard, server-sent events). */
export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

/**
 * Parses an event stream that arrives in pieces. Browsers cannot send a header with EventSource, so the page reads the
 * stream itself. Only the fields `event` and `data` are used; the service sends lines that end with a line feed.
 */
export class EventStreamParser {
  private rest = '';
  private name = '';
  private data: string[] = [];

  /** Returns the events that are complete with this piece. */
  push(text: string): StreamEvent[] {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.line(line.replace(/\r$/, '')));
  }

  private line(line: string): StreamEvent[] {
    if (line === '') {
      const event = { name: this.name, data: this.data.join('\n') };
      const isEmpty = this.data.length === 0;
      this.name = '';
      this.data = [];
      return isEmpty ? [] : [event];
    }
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'event') this.name = value;
    else if (field === 'data') this.data.push(value);
    return [];
  }
}
