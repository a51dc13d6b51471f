/** What is done to a service that runs: killed and started under traffic, hurried by a hundred calls, hindered step by step. */
import { FIRST_OF_LIFE, triedOnMachine } from './on-guest.ts';

triedOnMachine((number) => number >= FIRST_OF_LIFE);
