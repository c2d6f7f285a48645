"""atelier_judge: reads what atelier images show and in which style, to score generated ones."""

from methods.atelier_judge.atelier_judge import AtelierJudge

__all__ = ["AtelierJudge"]
