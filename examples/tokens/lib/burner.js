'use strict';

const SLICE_MS = 5;
const MAX_MS = 10000;
const MAX_WAITING_MS = 60000;

/**
 * Uses CPU on request, to see what a busy instance looks like. One piece of work after the other,
 * in slices with room between them: other requests go on, only slower.
 */
class Burner {
  constructor() {
    this.tail = Promise.resolve();
    this.waitingMs = 0;
  }

  /** Uses `ms` of CPU time once what was asked for before is done; `false`: too much waits. */
  burn(ms) {
    const wanted = Math.min(Math.max(Number(ms) || 0, 0), MAX_MS);
    if (this.waitingMs + wanted > MAX_WAITING_MS) {
      return false;
    }
    this.waitingMs += wanted;
    this.tail = this.tail.then(() => spin(wanted)).then(() => {
      this.waitingMs -= wanted;
      return wanted;
    });
    return this.tail;
  }
}

async function spin(ms) {
  for (let left = ms; left > 0; left -= SLICE_MS) {
    const until = cpuMs() + Math.min(left, SLICE_MS);
    while (cpuMs() < until) {
      work();
    }
    await breathe();
  }
}

function work() {
  let sum = 0;
  for (let i = 0; i < 10000; i += 1) {
    sum += Math.sqrt(i);
  }
  return sum;
}

function breathe() {
  return new Promise((resolve) => setImmediate(resolve));
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

module.exports = { Burner, MAX_MS };
