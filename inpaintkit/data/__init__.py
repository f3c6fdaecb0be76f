"""Pictures: where they come from, decoding, the cache, augmentation, and the batches of a training."""

from .augment import AugmentationStep as AugmentationStep, augmenter as augmenter, check_augment as check_augment
from .batches import TrainingBatches as TrainingBatches, fixed_batch as fixed_batch
from .decoding import (
    Prepare as Prepare,
    decode as decode,
    errors_named as errors_named,
    formats as formats,
    open_picture as open_picture,
    upright as upright,
)
from .image_set import ImageSet as ImageSet, load_images as load_images
from .sources import (
    ImageFile as ImageFile,
    PackageFiles as PackageFiles,
    Source as Source,
    Unreadable as Unreadable,
    find as find,
    printable as printable,
    walk as walk,
)
