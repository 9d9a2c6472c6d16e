// The terminal's memory of lines, and its output made safe to show.

/** Lines typed before, walked with the arrow keys; the line being typed comes back at the end. */
export class LineHistory {
  #lines: string[] = []
  #at = 0
  #draft = ''

  add(line: string) {
    if (this.#lines.at(-1) !== line) this.#lines.push(line)
    this.#at = this.#lines.length
    this.#draft = ''
  }
  step(by: 1 | -1, now: string): string {
    if (this.#at === this.#lines.length) this.#draft = now
    this.#at = Math.max(0, Math.min(this.#lines.length, this.#at + by))
    return this.#lines[this.#at] ?? this.#draft
  }
}

/** Control characters of hostile names are shown as pictures, never obeyed; tabs and line ends stay. */
export const shownOutput = (output: string) =>
  // eslint-disable-next-line no-control-regex -- these are the characters meant
  output.replace(/\r\n/g, '\n').replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0))).replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
