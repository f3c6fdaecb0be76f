"""The names of kornia's augmentations of single pictures, which ``components/__init__`` registers."""

#: Without ``Normalize`` and ``Denormalize``, since pictures stay in [0, 1], and ``RandomDissolving``, which downloads a
#: diffusion model. Written out, so that listing them does not import kornia.
KORNIA = (
    "CenterCrop", "ColorJiggle", "ColorJitter", "LongestMaxSize", "PadTo", "RandomAffine", "RandomAutoContrast",
    "RandomBoxBlur", "RandomBrightness", "RandomChannelDropout", "RandomChannelShuffle", "RandomClahe",
    "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomEqualize", "RandomErasing", "RandomFisheye",
    "RandomGamma", "RandomGaussianBlur", "RandomGaussianIllumination", "RandomGaussianNoise", "RandomGrayscale",
    "RandomHorizontalFlip", "RandomHue", "RandomInvert", "RandomJPEG", "RandomLinearCornerIllumination",
    "RandomLinearIllumination", "RandomMedianBlur", "RandomMotionBlur", "RandomPerspective",
    "RandomPlanckianJitter", "RandomPlasmaBrightness", "RandomPlasmaContrast", "RandomPlasmaShadow",
    "RandomPosterize", "RandomRGBShift", "RandomRain", "RandomResizedCrop", "RandomRotation", "RandomRotation90",
    "RandomSaltAndPepperNoise", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomSnow",
    "RandomSolarize", "RandomThinPlateSpline", "RandomTranslate", "RandomVerticalFlip", "Resize", "SmallestMaxSize",
)  # fmt: skip
