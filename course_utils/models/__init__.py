"""Models: encoders leave a memory, decoders read it with attention, builders put them together."""

from course_utils.models.builders import (
    BUILDERS,
    DECODERS,
    build_captioner,
    build_recogniser,
    build_text_classifier,
    build_translator,
)
from course_utils.models.classifiers import AttentionTextClassifier, HierarchicalClassifier
from course_utils.models.decoders import AttentionDecoder, BahdanauDecoder, FixedVectorDecoder
from course_utils.models.image_encoders import ImageEncoder, PhotoEncoder, VisionTransformer
from course_utils.models.seq2seq import LanguageModel, Seq2Seq, SpeechModel, count_parameters
from course_utils.models.speech_encoder import SpeechEncoder
from course_utils.models.text_encoder import TextEncoder
from course_utils.models.transformer import TransformerDecoder, TransformerEncoder

__all__ = [
    "BUILDERS",
    "DECODERS",
    "AttentionDecoder",
    "AttentionTextClassifier",
    "BahdanauDecoder",
    "FixedVectorDecoder",
    "HierarchicalClassifier",
    "ImageEncoder",
    "LanguageModel",
    "PhotoEncoder",
    "Seq2Seq",
    "SpeechEncoder",
    "SpeechModel",
    "TextEncoder",
    "TransformerDecoder",
    "TransformerEncoder",
    "VisionTransformer",
    "build_captioner",
    "build_recogniser",
    "build_text_classifier",
    "build_translator",
    "count_parameters",
]
