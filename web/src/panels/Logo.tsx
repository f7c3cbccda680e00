/** The mark: two sockets and the wire between them. The same as public/icon.svg. */

export function Logo() {
  return (
    <svg width="22" height="22" viewBox="3 5 26 22" aria-hidden focusable="false" fill="none" stroke="var(--accent)">
      <path d="M7 22c8 0 4-12 18-12" strokeWidth="2.6" strokeLinecap="round" />
      <circle cx="7" cy="22" r="3.2" fill="var(--accent)" stroke="none" />
      <circle cx="25" cy="10" r="3.2" fill="var(--surface)" strokeWidth="2.4" />
    </svg>
  );
}
