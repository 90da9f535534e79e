'use strict';

const express = require('express');
const { GREETING } = require('./greeting');

const RECENT = 10;
const MAX_LENGTH = 200;
const TICK_MS = 1000;

/** The routes, over whatever keeps the tokens and knows the flags. */
function createApp({ settings, tokens, flags, burner }) {
  const { release, track, instance } = settings;
  const app = express();
  const streams = new Set();
  let draining = false;
  app.disable('x-powered-by');
  app.use((request, response, next) => {
    response.set({ 'X-Release': release, 'X-Track': track, 'X-Instance': instance });
    if (draining) {
      response.set('Connection', 'close');
    }
    next();
  });

  app.get('/', (request, response) => {
    response.type('text').send(`${GREETING}\nrelease ${release} on ${track}, ${instance}\n`);
  });

  app.get('/healthz', (request, response) => {
    response.status(draining ? 503 : 200).type('text').send(draining ? 'draining\n' : 'ok\n');
  });

  const gate = async (request, response, next) => {
    if (await flags.isOn('feature1', true)) {
      next();
    } else {
      response.status(404).json({ error: 'tokens are switched off (flag feature1)' });
    }
  };

  const set = async (request, response) => {
    const value = request.query.value ?? request.body?.value;
    if (typeof value !== 'string' || value === '' || value.length > MAX_LENGTH) {
      response.status(400).json({ error: `say ?value=… with 1 to ${MAX_LENGTH} characters` });
      return;
    }
    const token = { value, at: new Date().toISOString(), by: instance };
    await tokens.add(token);
    response.status(201).json(token);
  };
  const bodies = [express.json({ limit: '4kb' }), express.urlencoded({ extended: false, limit: '4kb' })];
  // A GET that changes something is not good manners, but people type it into a browser.
  app.get('/set', later(gate), later(set));
  app.post('/set', later(gate), bodies, later(set));
  app.get('/get', later(gate), later(async (request, response) => {
    response.set('Cache-Control', 'no-store').json({ tokens: await tokens.recent(RECENT) });
  }));

  app.get('/burn', later(async (request, response) => {
    const burnt = await burner.burn(request.query.ms ?? 100);
    if (burnt === false) {
      response.status(503).set('Retry-After', '10').json({ error: 'too much waits to be burnt' });
    } else {
      response.json({ burnt_ms: burnt });
    }
  }));

  // One line a second for as long as somebody listens.
  app.get('/stream', (request, response) => {
    let count = 0;
    response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const say = () => response.write(`id: ${count += 1}\ndata: ${release} on ${track}\n\n`);
    const timer = setInterval(say, TICK_MS);
    streams.add(response);
    response.on('close', () => {
      clearInterval(timer);
      streams.delete(response);
    });
    say();
  });

  app.use((request, response) => response.status(404).json({ error: 'there is no such page' }));
  // Express knows an error handler by its four parameters.
  app.use((error, request, response, next) => { // jshint ignore:line
    const status = error.status || 500;
    if (status >= 500) {
      console.error(`${request.method} ${request.path}: ${error.message}`);
    }
    response.status(status).json({ error: status < 500 ? error.message : 'it did not work' });
  });

  /** From now on every answer closes its connection, and streams end. */
  app.drain = () => {
    draining = true;
    streams.forEach((response) => response.end('event: bye\ndata: bye\n\n'));
  };
  return app;
}

/** Express 4 does not look at promises: their errors are passed on. */
function later(handler) {
  return (request, response, next) => handler(request, response, next).catch(next);
}

module.exports = { createApp };
