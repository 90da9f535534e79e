'use strict';

const { JUnitXmlReporter } = require('jasmine-reporters');

// What Toehold reads: which spec failed, where, and with which words.
jasmine.getEnv().addReporter(new JUnitXmlReporter({ savePath: 'reports', consolidateAll: true }));
