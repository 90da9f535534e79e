'use strict';

const { createClient } = require('@redis/client');

const KEY = 'tokens';
const KEPT = 100;

/** Tokens in Redis: a list, the newest first, cut to the last hundred. */
class RedisTokens {
  constructor(url, log = console.error) {
    this.client = createClient({
      url,
      disableOfflineQueue: true,
      socket: { connectTimeout: 2000, reconnectStrategy: (tries) => Math.min(100 * tries, 2000) },
    });
    // Without a listener a lost connection would end the process.
    this.client.on('error', (error) => log(`redis: ${error.message || error.code}`));
  }

  async open() {
    await this.client.connect();
  }

  async add(token) {
    await this.client.multi().lPush(KEY, JSON.stringify(token)).lTrim(KEY, 0, KEPT - 1).exec();
  }

  async recent(count) {
    const lines = await this.client.lRange(KEY, 0, count - 1);
    return lines.map((line) => JSON.parse(line));
  }

  async close() {
    if (this.client.isOpen) {
      await this.client.disconnect();
    }
  }
}

module.exports = { RedisTokens };
