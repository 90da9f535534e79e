'use strict';

const fs = require('fs/promises');
const path = require('path');

const READ_BYTES = 64 * 1024;
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Tokens in a file that every instance on the machine shares: one line each, appended by one
 * write, so that lines of several processes never mix. The newest are read from its end.
 */
class FileTokens {
  constructor(dir) {
    this.dir = dir;
    this.file = path.join(dir, 'tokens.jsonl');
  }

  async open() {
    await fs.mkdir(this.dir, { recursive: true });
  }

  async add(token) {
    const line = Buffer.from(`${JSON.stringify(token)}\n`);
    const handle = await fs.open(this.file, 'a');
    try {
      const { size } = await handle.stat();
      if (size + line.length > MAX_BYTES) {
        throw new Error(`${this.file} is full: remove it to begin again`);
      }
      await handle.write(line, 0, line.length);
    } finally {
      await handle.close();
    }
  }

  /** The newest first. A line that was cut short is passed over. */
  async recent(count) {
    const text = await this.readEnd();
    const tokens = [];
    const lines = text.split('\n');
    for (let i = lines.length - 1; i >= 0 && tokens.length < count; i -= 1) {
      try {
        tokens.push(JSON.parse(lines[i]));
      } catch (notALine) {
        continue;
      }
    }
    return tokens;
  }

  async readEnd() {
    let handle;
    try {
      handle = await fs.open(this.file, 'r');
    } catch (error) {
      if (error.code === 'ENOENT') {
        return '';
      }
      throw error;
    }
    try {
      const { size } = await handle.stat();
      const start = Math.max(0, size - READ_BYTES);
      const buffer = Buffer.alloc(size - start);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  async close() {}
}

module.exports = { FileTokens };
