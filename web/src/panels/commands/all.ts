/** Every command of the editor, registered once when it starts. */

import { register } from "@/state/commands";

import { EDIT_COMMANDS } from "./edit_commands";
import { FILE_COMMANDS } from "./file_commands";
import { HELP_COMMANDS } from "./help_commands";
import { NODE_COMMANDS } from "./node_commands";
import { RUN_COMMANDS } from "./run_commands";
import { TAB_COMMANDS } from "./tab_commands";
import { VIEW_COMMANDS } from "./view_commands";
import { lookCommands } from "../gallery/look_commands";

export const ALL_COMMANDS = [
  ...RUN_COMMANDS,
  ...FILE_COMMANDS,
  ...TAB_COMMANDS,
  ...EDIT_COMMANDS,
  ...NODE_COMMANDS,
  ...VIEW_COMMANDS,
  ...lookCommands,
  ...HELP_COMMANDS,
];

export function registerCommands(): void {
  register(ALL_COMMANDS);
}
