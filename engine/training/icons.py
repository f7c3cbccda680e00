"""Trains the embedded model from nothing: icons from packages, then autoencoder, text tower, denoiser, decoder, file.

    python main.py train icons --recipe reduced

Every phase resumes where an earlier run stopped; a phase whose time is spent is passed over. The same command trains on
CUDA or on CPU cores; `--recipe` chooses what can be learned there.
"""

import argparse
import logging
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from engine.errors import TrainingError
from engine.models.vae import AutoencoderKL
from engine.text.tokenizer import Tokenizer
from engine.training import autoencoder, captions, dataset, decoder, denoiser, latents, report, shipped, text_tower
from engine.training.captions import Catalogue, Picture, Scene
from engine.training.compositions import draw as draw_picture
from engine.training.dataset import Icons
from engine.training.evaluation import Exam, Measured, evaluate
from engine.training.iconsets import icon_set
from engine.training.judge import questions
from engine.training.loop import Budget, Phase, Settings
from engine.training.options import Options
from engine.training.packages import Packages, read_lock
from engine.training.partners import Partners
from engine.training.recipe import KEPT_BACK_CELLS, KEPT_BACK_PAIRS, KEPT_BACK_SUBJECTS, RECIPES, Recipe, Stage
from engine.training.studio import Brush
from engine.training.vocabulary import Concept, concepts, core_subjects, reduced_concepts

log = logging.getLogger(__name__)

SIDE = 128
FINE_SIDE = 256
COLOURED = 512  # pictures that the colours of previews are fitted to; 5 numbers are asked of 131,072 cells
PHASES = ("autoencoder", "text_tower", "denoiser", "decoder")


def options(namespace: argparse.Namespace) -> Options:
    """The options of a parsed command line; without --recipe, the one that suits the device."""
    recipe = namespace.recipe or ("full" if _device(namespace.device).type == "cuda" else "reduced")
    names = [name for name in Options.__dataclass_fields__ if name not in ("recipe", "output")]
    output = namespace.output or Options.output
    return Options(recipe=recipe, output=output, **{name: getattr(namespace, name) for name in names})


def train(chosen: Options) -> Path:
    """Run what is left of the recipe and write the checkpoint.

    Returns: the checkpoint's path.
    Raises: TrainingError when data cannot be had or a saved state is of another recipe.
    """
    if not 0 <= chosen.rank < chosen.processes:
        raise TrainingError(f"rank {chosen.rank} of {chosen.processes}: ranks count from 0 to {chosen.processes - 1}")
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    workshop = Workshop(chosen)
    if chosen.rank > 0:
        workshop.help()
        return chosen.output
    workshop.learn()
    workshop.export()
    if chosen.evaluate:
        workshop.evaluate()
    return chosen.output


class Workshop:
    """One run of a recipe: its data, its phases in order, and the file they lead to."""

    def __init__(self, chosen: Options) -> None:
        self.options = chosen
        self.recipe = RECIPES[chosen.recipe]
        self.device = _device(chosen.device)
        self.folder = chosen.folder
        self.deadline = time.time() + 60 * chosen.minutes
        packages = Packages(chosen.folder / "packages", read_lock())
        learned = _concepts(self.recipe, packages)
        self.packages, self.learned = packages, learned
        self.icons = self._drawn(SIDE)
        self.catalogue = catalogue(self.icons, learned, self.recipe)
        count = chosen.scenes or self.recipe.scenes
        self.scenes = captions.scenes(self.catalogue, self.recipe.mix, count, seed=0)
        self.tokenizer = Tokenizer()
        self.tokens = text_tower.tokens_of([scene.caption for scene in self.scenes], self.tokenizer)
        log.info("%d icons, %d scenes, %s on %s", len(self.icons.subjects), len(self.scenes), chosen, self.device)

    def learn(self) -> None:
        """All phases, each as far as its time goes."""
        self._learn_autoencoder()
        vae, clean, rows = self.latents(SIDE, self.scenes)
        tower = self._learn_words(clean, rows)
        phase = self._denoiser(tower, self.recipe.denoiser.settings)
        if not phase.resume():
            phase.save()
        self._learn_denoising(phase, self.recipe.denoiser, clean, rows, self.tokens)
        if self.recipe.finish is not None:
            self._finish(phase)
        self._learn_drawing(vae, clean, rows)

    def help(self) -> None:
        """Train the denoiser beside the process of rank 0, from the moment that one has begun it."""
        while not (self.folder / "denoiser.pt").exists() and time.time() < self.deadline:
            time.sleep(1)
        _, clean, rows = self.latents(SIDE, self.scenes)
        phase = self._denoiser(self._tower(), self.recipe.denoiser.settings)
        phase.resume()
        self._learn_denoising(phase, self.recipe.denoiser, clean, rows, self.tokens)

    def export(self) -> None:
        """Write what the phases have learned so far as a checkpoint.

        Raises: TrainingError when a phase has not begun yet.
        """
        vae, clean, _ = self.latents(SIDE, self.scenes)
        phase = self._denoiser(self._tower(), self.recipe.denoiser.settings)
        fine = self._fine_phase(phase) if self.recipe.finish is not None else phase
        if not (fine.resume() or phase.resume()):
            raise TrainingError(f"{self.folder}: no denoiser to export; run the training first")
        trained = fine if fine.step else phase
        drawing = decoder.phase(self.folder, vae, self.recipe.decoder.settings, self.device)
        if drawing.resume():
            vae.load_state_dict(drawing.average["decoding"].state_dict(), strict=False)
        side = FINE_SIDE if self.recipe.finish is not None else SIDE
        shipped.export(
            self.options.output,
            trained.average["unet"],
            cast(text_tower.TextTower, trained.average["text"]),
            vae,
            {
                "picture_size": [side, side],
                "recipe": self.recipe.name,
                "steps": trained.step,
                "latent_colours": latents.colours(vae, clean[:COLOURED].to(self.device)),
            },
        )
        log.info("wrote %s after %d steps", self.options.output, trained.step)

    def evaluate(self) -> Measured:
        """Measure the written file; numbers, sheets and loss curves go to the folder's `report`.

        Raises: CheckpointError when it has not been written.
        """
        everything = dataset.prepared(self.folder / "icons", self.packages, core_subjects(), self.recipe.styles, SIDE)
        side = FINE_SIDE if self.recipe.finish is not None else SIDE
        asked = questions(self.recipe.name)
        brush = Brush(side=side)
        exam = Exam(self.options.output, asked, everything, self.catalogue, self.icons, self.recipe.mix, brush)
        folder = self.folder / "report"
        measured = evaluate(exam, folder)
        measured.save(folder / "measured.json")
        report.plot(report.losses(self.folder / "log.jsonl"), folder / "losses.png")
        log.info("%s", measured)
        return measured

    def latents(self, side: int, scenes: list[Scene]) -> tuple[AutoencoderKL, Tensor, Tensor]:
        """The standardised autoencoder, the latents of all scenes, and each scene's row among them.

        They are made once, and with them the latent space is fixed.
        """
        path = self.folder / f"latents_{side}.pt"
        if not path.exists():
            layers = self._drawn(side).layers()
            vae = self._latest_autoencoder()
            clean, rows = latents.encode(vae.eval(), scenes, layers, side, self.device)
            torch.save({"autoencoder": vae.state_dict(), "latents": clean, "rows": rows}, path)
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if len(saved["rows"]) != len(scenes):
            raise TrainingError(f"{path}: made for {len(saved['rows'])} scenes, not {len(scenes)}; delete it")
        vae = AutoencoderKL(autoencoder.CONFIG)
        vae.load_state_dict(saved["autoencoder"])
        return vae.to(self.device).eval(), saved["latents"], saved["rows"]

    def _drawn(self, side: int) -> Icons:
        everything = dataset.prepared(self.folder / "icons", self.packages, core_subjects(), self.recipe.styles, side)
        return everything.only(self.learned, self.recipe.styles)

    def _latest_autoencoder(self) -> AutoencoderKL:
        first = self.folder / f"latents_{SIDE}.pt"
        if first.exists():
            return self.latents(SIDE, self.scenes)[0]
        phase = autoencoder.phase(self.folder, self.recipe.autoencoder.settings, self.device)
        phase.resume()
        vae = cast(AutoencoderKL, phase.average["autoencoder"])
        layers = self.icons.layers()
        sample = [draw_picture(scene.picture, layers, SIDE) for scene in self.scenes[:256]]
        latents.standardise_(vae.eval(), torch.stack(sample).to(self.device))
        return vae

    def _learn_autoencoder(self) -> None:
        if (self.folder / f"latents_{SIDE}.pt").exists():
            return
        stage = self.recipe.autoencoder
        phase = autoencoder.phase(self.folder, stage.settings, self.device)
        phase.resume()
        crops = autoencoder.Crops(self.icons.layers())
        autoencoder.train(crops, phase, self._batch(stage), self._budget(stage), self.deadline)

    def _learn_words(self, clean: Tensor, rows: Tensor) -> text_tower.TextTower:
        stage = self.recipe.text_tower
        phase = text_tower.phase(self.folder, self._tower(), stage.settings, self.device)
        phase.resume()
        text_tower.train(clean, rows, self.tokens, phase, self._batch(stage), self._budget(stage), self.deadline)
        tower = self._tower()
        tower.load_state_dict(phase.average["text"].state_dict())
        return tower

    def _learn_denoising(self, phase: Phase, stage: Stage, clean: Tensor, rows: Tensor, tokens: Tensor) -> None:
        empty = text_tower.tokens_of([""], self.tokenizer)[0]
        samples = denoiser.Samples(clean, rows, tokens, empty)
        denoiser.train(samples, phase, self._batch(stage), self._budget(stage), self.deadline)

    def _finish(self, phase: Phase) -> None:
        stage = self.recipe.finish
        if stage is None or time.time() > self.deadline:
            return
        count = min(self.recipe.finish_scenes, len(self.scenes))
        scenes = captions.scenes(self.catalogue, self.recipe.mix, count, seed=1)
        _, clean, rows = self.latents(FINE_SIDE, scenes)
        fine = self._fine_phase(phase)
        if not fine.resume():
            fine.networks.load_state_dict(phase.average.state_dict())
            fine.average.load_state_dict(phase.average.state_dict())
        tokens = text_tower.tokens_of([scene.caption for scene in scenes], self.tokenizer)
        self._learn_denoising(fine, stage, clean, rows, tokens)

    def _learn_drawing(self, vae: AutoencoderKL, clean: Tensor, rows: Tensor) -> None:
        stage = self.recipe.decoder
        pictures: list[Picture] = [self.scenes[0].picture] * len(clean)
        for scene, row in zip(self.scenes, rows.tolist(), strict=True):
            pictures[row] = scene.picture
        phase = decoder.phase(self.folder, vae, stage.settings, self.device)
        phase.resume()
        layers = self.icons.layers()
        decoder.train(pictures, clean, layers, phase, self._batch(stage), self._budget(stage), self.deadline)

    def _tower(self) -> text_tower.TextTower:
        return text_tower.TextTower(sorted(set(self.tokens.flatten().tolist())))

    def _denoiser(self, tower: text_tower.TextTower, settings: Settings) -> Phase:
        phase = denoiser.phase(self.folder, tower, settings, self.device)
        if self.options.processes > 1:
            phase.partners = Partners(self.folder, "denoiser", self.options.rank, self.options.processes)
        return phase

    def _fine_phase(self, phase: Phase) -> Phase:
        stage = self.recipe.finish or self.recipe.denoiser
        networks = nn.ModuleDict(dict(phase.networks.items()))
        return Phase("denoiser_fine", self.folder, networks, stage.settings, self.device)

    def _batch(self, stage: Stage) -> int:
        """No more samples at once than there are scenes."""
        return min(stage.batch, len(self.scenes))

    def _budget(self, stage: Stage) -> Budget:
        return Budget(seconds=stage.seconds * self.options.stretch)


def catalogue(icons: Icons, learned: dict[str, Concept], recipe: Recipe) -> Catalogue:
    """What the recipe's captions may speak of. The reduced recipe keeps nothing back: it has little enough."""
    numbers = {cell: i for i, cell in enumerate(zip(icons.styles, icons.subjects, strict=True))}
    phrases = {style: icon_set(style).phrases for style in recipe.styles}
    plain = Catalogue(numbers, learned, phrases)
    if recipe.is_everyday:
        return plain
    chance = random.Random(1)
    subjects = sorted(learned)
    return replace(
        plain,
        dominant=dataset.dominant_hues(icons, captions.HUES),
        kept_back_cells=frozenset(chance.sample(sorted(numbers), round(KEPT_BACK_CELLS * len(numbers)))),
        kept_back_pairs=frozenset(_pair(subjects, chance) for _ in range(KEPT_BACK_PAIRS)),
    )


def _pair(subjects: list[str], chance: random.Random) -> tuple[str, str]:
    first, second = chance.sample(subjects, 2)
    return first, second


def _concepts(recipe: Recipe, packages: Packages) -> dict[str, Concept]:
    if recipe.is_everyday:
        return {concept.subject: concept for concept in reduced_concepts()}
    subjects = tuple(subject for subject in core_subjects() if subject not in KEPT_BACK_SUBJECTS)
    return {concept.subject: concept for concept in concepts(packages, subjects) if concept.names}


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)
