// Imported first by a program that serves, for its effect: the rest of the program is loaded into a small heap.
import { startSmall } from '../node-internals/young-generation.js';

startSmall();
