// Imported first by a program that may serve, for its effect: the rest of the program is loaded into a small heap.
import { startSmall } from '../node-internals/young-generation.js';

startSmall();
