/** The icons of the house: lucide's, 16 px, a little thinner than theirs, and silent for screen readers. */

import type { LucideIcon } from "lucide-react";

export type { LucideIcon } from "lucide-react";

interface IconProps {
  readonly icon: LucideIcon;
  readonly size?: number;
  readonly className?: string | undefined;
}

export function Icon({ icon: Drawing, size = 16, className }: IconProps) {
  return <Drawing size={size} strokeWidth={1.75} aria-hidden focusable={false} className={className} />;
}
