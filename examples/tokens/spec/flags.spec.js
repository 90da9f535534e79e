'use strict';

const { AWAY_MS, FRESH_MS, Flags } = require('../lib/flags');
const { parseHeaders } = require('../lib/settings');
const { flagServer } = require('./helpers/stage');

describe('flags', () => {
  let server, said, now;
  const make = (options) => new Flags({
    endpoint: server.url,
    timeoutMs: 5000,
    headers: parseHeaders('Authorization=Bearer%20secret'),
    context: { targetingKey: 'web.1' },
    log: (text) => said.push(text),
    ...options,
  });

  beforeEach(async () => {
    said = [];
    now = 1e6;
    spyOn(performance, 'now').and.callFake(() => now);
    server = await flagServer();
  });
  afterEach(() => server.close());

  it('have their default where nobody can be asked', async () => {
    const flags = make({ endpoint: '' });
    expect(await flags.isOn('feature1', true)).toBe(true);
    expect(await flags.isOn('feature1', false)).toBe(false);
  });

  it('are asked for by the protocol, with the token', async () => {
    server.value = false;
    expect(await make().isOn('feature1', true)).toBe(false);
    expect(server.asked).toEqual([{
      path: '/ofrep/v1/evaluate/flags/feature1',
      authorization: 'Bearer secret',
      body: { context: { targetingKey: 'web.1' } },
    }]);
  });

  it('are asked for once in a while, and then obeyed', async () => {
    const flags = make();
    const values = await Promise.all([1, 2, 3].map(() => flags.isOn('feature1', false)));
    expect(values).toEqual([true, true, true]);
    server.value = false;
    expect(await flags.isOn('feature1', false)).toBe(true);
    expect(server.asked.length).toBe(1);
    now += FRESH_MS;
    expect(await flags.isOn('feature1', false)).toBe(false);
    expect(server.asked.length).toBe(2);
  });

  it('have their default where nobody knows them', async () => {
    server.down = 404;
    expect(await make().isOn('feature1', true)).toBe(true);
    expect(said).toEqual([]);
  });

  it('keep their last value while the server is away, and it is said once', async () => {
    const flags = make();
    server.value = false;
    expect(await flags.isOn('feature1', true)).toBe(false);
    now += FRESH_MS;
    for (const down of [500, 401, 'silent', 500]) {
      server.down = down;
      flags.timeoutMs = down === 'silent' ? 20 : 5000;
      expect(await flags.isOn('feature1', true)).withContext(down).toBe(false);
      now += AWAY_MS;
    }
    expect(said.length).toBe(1);
    server.down = null;
    server.value = true;
    expect(await flags.isOn('feature1', false)).toBe(true);
  });
});
