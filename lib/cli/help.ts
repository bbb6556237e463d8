import { Help, type HelpConfiguration } from 'commander';

/** Columns for the terms; a longer one has its description on the next line. */
const MOST_PADDING = 34;
/** Columns where the output is no terminal. */
const WIDTH = 110;

const standard = new Help();

/** The form of all help texts: commander's, but for terms as long as `--kmp-rtmp-in-max-connections-per-address <num>`. */
export const helpStyle: HelpConfiguration = {
  helpWidth: process.stdout.isTTY ? Math.max(60, process.stdout.columns) : WIDTH,
  padWidth(command, helper) {
    return Math.min(MOST_PADDING, standard.padWidth.call(this, command, helper));
  },
  formatItem(term, padding, description, helper) {
    if (helper.displayWidth(term) <= padding) return standard.formatItem.call(this, term, padding, description, helper);
    return `  ${term}\n${standard.formatItem.call(this, '', padding, description, helper)}`;
  },
};
