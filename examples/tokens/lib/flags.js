'use strict';

const { OpenFeature } = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');

// How long an answer counts: a toggled flag is obeyed at most this much later.
const FRESH_MS = 250;
// How long nobody is asked again after a failure.
const AWAY_MS = 2000;
const silent = { error() {}, warn() {}, info() {}, debug() {} };
let made = 0;

/**
 * Flags by OpenFeature, asked of OFREP_ENDPOINT. A flag nobody knows has its default, and so has
 * every flag where there is no endpoint. While the endpoint is away the last known value holds: no
 * flag flips because a server is down, and no request waits longer than the timeout.
 */
class Flags {
  constructor({ endpoint, headers = [], timeoutMs = 1000, context = {}, log = console.error }) {
    this.context = context;
    this.timeoutMs = timeoutMs;
    this.log = log;
    this.known = new Map();
    this.client = null;
    if (endpoint) {
      made += 1;
      const domain = `tokens-${made}`;
      const fetchImplementation = (request) =>
        fetch(request, { signal: AbortSignal.timeout(this.timeoutMs) });
      const provider = new OFREPProvider({ baseUrl: endpoint, headers, fetchImplementation });
      OpenFeature.setProvider(domain, provider);
      this.client = OpenFeature.getClient(domain);
      this.client.setLogger(silent);
    }
  }

  /** Whether a flag is on. */
  async isOn(key, byDefault) {
    if (!this.client) {
      return byDefault;
    }
    const entry = this.known.get(key) || { value: byDefault, askAt: -Infinity, asking: null };
    this.known.set(key, entry);
    if (performance.now() >= entry.askAt) {
      entry.asking = entry.asking || this.ask(key, byDefault, entry);
      await entry.asking;
    }
    return entry.value;
  }

  async ask(key, byDefault, entry) {
    const answer = await this.client.getBooleanDetails(key, byDefault, this.context);
    const away = answer.errorCode && answer.errorCode !== 'FLAG_NOT_FOUND';
    if (!away) {
      entry.value = answer.value;
    } else if (!entry.away) {
      this.log(`flag ${key} stays ${entry.value}: ${answer.errorMessage || answer.errorCode}`);
    }
    entry.away = away;
    entry.askAt = performance.now() + (away ? AWAY_MS : FRESH_MS);
    entry.asking = null;
  }
}

module.exports = { AWAY_MS, FRESH_MS, Flags };
