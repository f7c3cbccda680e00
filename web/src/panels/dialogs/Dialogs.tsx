/** The dialog that is open, if any. */

import { useLayout, ask, type Question } from "../layout";
import { About } from "./About";
import { CloseDialog } from "./CloseDialog";
import { CommandSearch } from "./CommandSearch";
import { PictureDialog } from "./PictureDialog";
import { SaveDialog } from "./SaveDialog";
import { Settings } from "./Settings";
import { ShortcutSheet } from "./ShortcutSheet";

export function Dialogs() {
  const question = useLayout((state) => state.question);
  return (
    <>
      {question !== null && <OpenDialog question={question} onClose={() => ask(null)} />}
      <PictureDialog />
    </>
  );
}

function OpenDialog({ question, onClose }: { readonly question: Question; readonly onClose: () => void }) {
  switch (question.kind) {
    case "commands":
      return <CommandSearch onClose={onClose} />;
    case "shortcuts":
      return <ShortcutSheet onClose={onClose} />;
    case "settings":
      return <Settings onClose={onClose} />;
    case "about":
      return <About onClose={onClose} />;
    case "save":
      return <SaveDialog tab={question.tab} thenClose={question.thenClose} onClose={onClose} />;
    case "close":
      return <CloseDialog tab={question.tab} others={question.others} onClose={onClose} />;
  }
}
