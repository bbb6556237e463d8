import { Help, type HelpConfiguration } from 'commander';

/** Columns for flags and commands. The description of a longer one is on the next line. */
const MOST_PADDING = 34;
/** Columns if the output is not a terminal. */
const WIDTH = 110;

const standard = new Help();

/**
 * The form of all help texts: that of commander, except for flags as long as `--kmp-rtmp-in-max-connections-per-address
 * <num>`.
 */
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
