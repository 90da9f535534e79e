'use strict';

// What visitors read on the front page. Change it, push, and watch the new words arrive.
const GREETING = 'Hello from tokens';

module.exports = { GREETING };
